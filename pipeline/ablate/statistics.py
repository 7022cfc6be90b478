"""Statistics of a row from the predictions of several seeds.

Of a row with S seeds, each metric is given as its mean over the seeds; its spread, their sample standard deviation;
and a 95% interval of the mean over videos and seeds together (`pipeline.metrics.intervals`). The difference to the
first row is paired on the same videos. With one seed the interval is over videos alone, and nothing is told apart.
Shapes: B videos, N actions, S seeds.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import joblib
import numpy as np
import pyarrow as pa

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.metrics import intervals
from pipeline.metrics.intervals import Estimate, Measured

MANY = 2_000_000
"""Scores from which a table is measured by several processes, which take seconds to start."""


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
    lead_seeds: int
    """The fewer of both rows; 0 where there is no lead."""

    @property
    def apart(self) -> bool:
        """Whether the row is told apart from the first."""
        return self.lead is not None and intervals.told_apart(self.lead, seeds=self.lead_seeds)


def figures(
    predictions: Mapping[str, Sequence[pa.Table]], *, actions: int, bootstrap: int, seed: int
) -> dict[str, dict[str, Figure]]:
    """Every metric of every row, with differences to the first.

    Args:
        predictions: tables of that name by row, one a seed.
        actions: N.
        bootstrap: draws of videos.
        seed: of the draws.

    Raises:
        PlainError: the seeds of a row were not scored on the same videos.
    """
    found: dict[str, dict[str, Figure]] = {}
    first: tuple[list[Measured], list[str]] | None = None
    every = [table for of_seeds in predictions.values() for table in of_seeds]
    all_measured = iter(_measured(every, actions=actions, bootstrap=bootstrap, seed=seed))
    for row, of_seeds in predictions.items():
        videos = _same_videos(row, of_seeds)
        measured = [next(all_measured) for _ in of_seeds]
        against = first[0] if first and first[1] == videos else None
        leads = intervals.leads_over_seeds(measured, against) if against else None
        first = first or (measured, videos)
        found[row] = {
            name: Figure(
                seeds=len(measured),
                mean=interval.value,
                spread=spread([one.values[name] for one in measured]),
                interval=interval,
                lead=leads[name] if leads else None,
                lead_seeds=min(len(measured), len(against)) if against else 0,
            )
            for name, interval in intervals.estimates_over_seeds(measured).items()
        }
    return found


def spread(values: Sequence[float]) -> float:
    """The sample standard deviation; NaN of a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _same_videos(row: str, of_seeds: Sequence[pa.Table]) -> list[str]:
    videos: list[list[str]] = [table["video_id"].to_pylist() for table in of_seeds]
    if any(others != videos[0] for others in videos[1:]):
        raise PlainError(f"{row}: its seeds were scored on different videos; run its experiments again")
    return videos[0]


def _measured(predictions: Sequence[pa.Table], *, actions: int, bootstrap: int, seed: int) -> list[Measured]:
    """Every metric of each table of predictions; of many scores, in as many processes as there are cores."""
    scores = sum(table.num_rows for table in predictions) * actions
    pool = joblib.Parallel(n_jobs=-1 if scores > MANY else 1)
    found: list[Measured] = pool(joblib.delayed(_measure)(table, actions, bootstrap, seed) for table in predictions)
    return found


def _measure(table: pa.Table, actions: int, bootstrap: int, seed: int) -> Measured:
    draws_BR = intervals.draw(table.num_rows, bootstrap, seed)
    return intervals.measure(tables.vectors(table["scores"]), tables.multi_hot(table["actions"], actions), draws_BR)
