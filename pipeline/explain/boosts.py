"""Gains over a baseline: in each action's average precision, and in each video's."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.metrics.intervals import action_leads, draw
from pipeline.metrics.metrics import action_precisions, video_precisions

DECIMALS = 4


class Compared(NamedTuple):
    """The videos that both have scored. Shapes: B videos, N actions."""

    video_ids: list[str]
    targets: np.ndarray
    """B x N, boolean."""
    ours: np.ndarray
    """B x N scores."""
    theirs: np.ndarray
    """B x N scores."""


def compare(ours: pa.Table, theirs: pa.Table, *, named: str = "explain.baseline") -> Compared:
    """Match two tables of predictions by video.

    Args:
        ours: of this run.
        theirs: of the other.
        named: what named the other, for the error.

    Raises:
        PlainError: they share no video, or are of different actions or labels.
    """
    rows = {row["video_id"]: row for row in theirs.to_pylist()}
    pairs = [(row, rows[row["video_id"]]) for row in ours.to_pylist() if row["video_id"] in rows]
    if not pairs:
        raise PlainError(f"{named}: its predictions are of none of this run's videos; evaluate both alike")
    for our, their in pairs:
        if len(our["scores"]) != len(their["scores"]) or our["actions"] != their["actions"]:
            raise PlainError(
                f"{named}: video {our['video_id']} has actions {their['actions']} of {len(their['scores'])} there, and "
                f"{our['actions']} of {len(our['scores'])} here: it is a run on different data"
            )
    ours_BN, theirs_BN = (np.array([pair[side]["scores"] for pair in pairs]) for side in (0, 1))
    actions = pa.chunked_array([pa.array([our["actions"] for our, _ in pairs], pa.list_(pa.int16()))])
    targets_BN = tables.multi_hot(actions, ours_BN.shape[1])
    return Compared([our["video_id"] for our, _ in pairs], targets_BN, ours_BN, theirs_BN)


def boosts(compared: Compared, *, bootstrap: int, seed: int) -> pa.Table:
    """Each action's gain in average precision, by a paired bootstrap over videos; a table of schema `boosts`."""
    _, targets_BN, ours_BN, theirs_BN = compared
    draws_BR = draw(len(targets_BN), bootstrap, seed)
    boost, low, high = zip(*action_leads(ours_BN, theirs_BN, targets_BN, draws_BR), strict=True)
    columns = {
        "action_id": np.arange(targets_BN.shape[1]),
        "positives": targets_BN.sum(axis=0),
        "model": action_precisions(ours_BN, targets_BN),
        "baseline": action_precisions(theirs_BN, targets_BN),
        "boost": np.array(boost),
        "low": np.array(low),
        "high": np.array(high),
    }
    rounded = {name: np.round(column, DECIMALS) for name, column in columns.items()}
    return tables.from_columns("boosts", rounded)


def gains(compared: Compared) -> dict[str, float]:
    """The gain in average precision of each video's ranking, in percentage points."""
    ours = video_precisions(compared.ours, compared.targets)
    theirs = video_precisions(compared.theirs, compared.targets)
    return dict(zip(compared.video_ids, (ours - theirs).tolist(), strict=True))
