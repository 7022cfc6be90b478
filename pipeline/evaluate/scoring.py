"""Compute metrics with intervals from predictions, beside the reference rankings."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.evaluate import references
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.metrics import intervals, metrics
from pipeline.metrics.intervals import Estimate

DECIMALS = 4
"""Of every figure that is written: far below its interval, far above a float's last bits."""


class Figures(NamedTuple):
    """The metrics of a tested model."""

    metrics: pa.Table
    """Schema `metrics`: the rows model, frequency, chance and lead."""
    per_action: pa.Table
    """Schema `per_action`."""
    headline: dict[str, float]
    """The model's metrics and counts of videos and actions, flat, for metrics.json."""


def figures(predictions: pa.Table, training: pa.Table, actions: pa.Table, *, bootstrap: int, seed: int) -> Figures:
    """Measure predictions.

    Args:
        predictions: of the scored split.
        training: the split that the frequency reference counts.
        actions: the vocabulary.
        bootstrap: draws of videos for the intervals.
        seed: of the draws, and of the order of actions that are equally frequent.

    Raises:
        PlainError: the predictions are of another vocabulary, or there are none.
    """
    scores_BN, targets_BN = _arrays(predictions, actions.num_rows)
    trained_N = np.bincount(pc.list_flatten(training["actions"]).to_numpy(), minlength=actions.num_rows)
    draws = intervals.draw(len(scores_BN), bootstrap, seed)
    model = intervals.measure(scores_BN, targets_BN, draws)
    frequency = references.frequency(trained_N, targets_BN, draws, seed=seed)
    rows = {
        "model": intervals.estimates(model),
        "frequency": intervals.estimates(frequency),
        "chance": {name: Estimate(v, np.nan, np.nan) for name, v in references.chance(targets_BN).items()},
        "lead": intervals.leads(model, frequency),
    }
    headline = {name: round(value, DECIMALS) for name, value in model.values.items()}
    headline |= {"actions_evaluated": metrics.actions_evaluated(targets_BN), "videos": len(scores_BN)}
    per_action = intervals.action_estimates(scores_BN, targets_BN, draws)
    return Figures(_metrics_table(rows), _per_action_table(actions, trained_N, targets_BN, per_action), headline)


def _arrays(predictions: pa.Table, actions: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and targets, B x N."""
    if not predictions.num_rows:
        raise PlainError("there are no predictions: every video of the split was excluded, see excluded.parquet")
    scores = tables.vectors(predictions["scores"])
    if scores.shape[1] != actions:
        raise PlainError(
            f"the predictions have {scores.shape[1]} scores a video, but there are {actions} actions; train again"
        )
    return scores, tables.multi_hot(predictions["actions"], actions)


def _metrics_table(rows: dict[str, dict[str, Estimate]]) -> pa.Table:
    entries = [(row, name, *estimate) for row, found in rows.items() for name, estimate in found.items()]
    row, metric, *numbers = zip(*sorted(entries), strict=True)
    value, low, high = (np.round(column, DECIMALS) for column in numbers)
    columns = {"row": row, "metric": metric, "value": value, "low": low, "high": high}
    return tables.from_columns("metrics", columns)


def _per_action_table(
    actions: pa.Table, trained_N: np.ndarray, targets_BN: np.ndarray, estimates: list[Estimate]
) -> pa.Table:
    positives = targets_BN.sum(axis=0)
    videos = len(targets_BN)
    chance = np.where(positives > 0, 100.0 * references.expected_precision(positives, videos), np.nan)
    ap, low, high = (np.round(column, DECIMALS) for column in zip(*estimates, strict=True))
    columns = {
        "action_id": actions["action_id"],
        "action": actions["action"],
        "training": trained_N,
        "positives": positives,
        "ap": ap,
        "low": low,
        "high": high,
        "chance": np.round(chance, DECIMALS),
    }
    return tables.from_columns("per_action", columns)
