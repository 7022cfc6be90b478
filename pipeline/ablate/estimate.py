"""Estimate a table's cost: the number of trainings, and minutes from the records of earlier runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.ablate import tuning
from pipeline.ablate.experiments import TRIALS, Mode
from pipeline.ablate.rows import Row
from pipeline.foundations.params import Params
from pipeline.foundations.runtime.record_store import Record, read


class Work(NamedTuple):
    """The trainings to do."""

    trainings: int
    scored: int
    """Of them, those that score the test split; the others are trials."""


def work(rows: Sequence[Row], params: Params, *, mode: Mode, seeds: int, tune: bool) -> Work:
    """The trainings of some rows."""
    trials = tuning.trials_of(params, mode) if tune else 0
    scored = len(rows) * seeds * (2 if tune else 1)
    return Work(scored + len(rows) * trials, scored)


def estimate(rows: Sequence[Row], params: Params, *, mode: Mode, seeds: int, tune: bool, root: Path = Path()) -> str:
    """A sentence: how many trainings, and about how many minutes if none of it is in DVC's cache.

    Args:
        rows: to be trained.
        params: with all that is changed for every row.
        mode: how they are trained.
        seeds: of each row.
        tune: whether each row is tuned first.
        root: of the project whose records say how long stages took.
    """
    ahead = work(rows, params, mode=mode, seeds=seeds, tune=tune)
    what = "heads on features frozen once" if mode == "frozen" else "whole models"
    counted = f"{len(rows)} rows, {ahead.trainings} trainings of {what}"
    seconds = _joint_seconds(root, ahead) if mode == "joint" else _frozen_seconds(root, ahead)
    if seconds is None:
        return f"{counted}; its stages have not run here before, so how long they take is not known"
    return f"{counted}: about {max(1, round(seconds / 60)):,} minutes, less what is in DVC's cache"


def _joint_seconds(root: Path, ahead: Work) -> float | None:
    train, evaluate = _last(root, "train"), _last(root, "evaluate")
    if train is None or evaluate is None:
        return None
    return float(ahead.trainings * train["seconds"] + ahead.scored * evaluate["seconds"])


def _frozen_seconds(root: Path, ahead: Work) -> float | None:
    """From the time of stage heads for each training; features are extracted once for all rows."""
    freeze, heads = _last(root, "freeze"), _last(root, "heads")
    trained = heads["rows_written"].get(TRIALS, 0) if heads else 0
    if freeze is None or heads is None or not trained:
        return None
    return float(freeze["seconds"] + ahead.trainings * heads["seconds"] / trained)


def _last(root: Path, stage: str) -> Record | None:
    """The record of a stage's last run that finished."""
    finished = [record for record in read(root, stage) if record.get("outcome") == "finished"]
    return finished[-1] if finished else None
