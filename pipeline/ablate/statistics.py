"""From the predictions of several seeds to a row of a table.

Of a row with S seeds, each metric is given as its mean over the seeds; its spread, their sample standard deviation;
and a 95% interval of the mean by a bootstrap over videos: each draw of videos is scored by every seed, and averaged.
The difference to the first row is averaged likewise, on the same draws (paired). So the interval says what other test
videos would do to the mean, and the spread what another seed would do to one run.
Shapes: B videos, N actions, S seeds.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.metrics import intervals
from pipeline.metrics.intervals import Estimate, Measured
from pipeline.metrics.metrics import METRICS


class Figure(NamedTuple):
    """A metric of a row, in percent."""

    seeds: int
    mean: float
    spread: float
    """NaN of a single seed."""
    interval: Estimate
    """Of the mean."""
    lead: Estimate | None
    """Over the first row that did not fail, in percentage points; None for that row, and where videos differ."""


def figures(
    predictions: Mapping[str, Sequence[pa.Table]], *, actions: int, bootstrap: int, seed: int
) -> dict[str, dict[str, Figure]]:
    """Every metric of every row, the first being what the others are held against.

    Args:
        predictions: tables of that name by row, one a seed.
        actions: N.
        bootstrap: draws of videos.
        seed: of the draws.

    Raises:
        PlainError: the seeds of a row were not scored on the same videos.
    """
    found: dict[str, dict[str, Figure]] = {}
    first: tuple[Measured, list[str]] | None = None
    for row, of_seeds in predictions.items():
        videos = _same_videos(row, of_seeds)
        draws_BR = intervals.draw(len(videos), bootstrap, seed)
        measured = [intervals.measure(*_arrays(table, actions), draws_BR) for table in of_seeds]
        mean = averaged(measured)
        leads = intervals.leads(mean, first[0]) if first and first[1] == videos else None
        first = first or (mean, videos)
        found[row] = {
            name: Figure(
                seeds=len(measured),
                mean=mean.values[name],
                spread=spread([one.values[name] for one in measured]),
                interval=estimate,
                lead=leads[name] if leads else None,
            )
            for name, estimate in intervals.estimates(mean).items()
        }
    return found


def averaged(measured: Sequence[Measured]) -> Measured:
    """The mean over seeds, on the videos as they are and on every draw of them."""
    return Measured(
        {name: float(np.mean([one.values[name] for one in measured])) for name in METRICS},
        {name: np.mean([one.over_draws[name] for one in measured], axis=0) for name in METRICS},
    )


def spread(values: Sequence[float]) -> float:
    """The sample standard deviation; NaN of a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _same_videos(row: str, of_seeds: Sequence[pa.Table]) -> list[str]:
    videos: list[list[str]] = [table["video_id"].to_pylist() for table in of_seeds]
    if any(others != videos[0] for others in videos[1:]):
        raise PlainError(f"{row}: its seeds were scored on different videos; run its experiments again")
    return videos[0]


def _arrays(table: pa.Table, actions: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and targets, B x N."""
    return tables.vectors(table["scores"]), tables.multi_hot(table["actions"], actions)
