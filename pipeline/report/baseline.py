"""Copy the model and predictions of a finished experiment here, as the baseline that `explain` compares with."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.explain.models import FOLDER, PREDICTIONS
from pipeline.foundations.params.editing import edited
from pipeline.foundations.runtime.files import atomic_write, write_text
from pipeline.foundations.tables import tables
from pipeline.report.runs import fetch


def fetch_baseline(revision: str, target: Path) -> int:
    """Copy a run's model and predictions below the folder `target`; returns how many videos it has scored.

    Raises:
        PlainError: as `pipeline.report.runs.fetch`, or the run has no valid table of predictions.
    """
    with TemporaryDirectory(prefix="m3a-baseline-") as copy:
        fetch(revision, [FOLDER.as_posix(), PREDICTIONS.as_posix()], Path(copy))
        videos: int = tables.read("predictions", Path(copy) / PREDICTIONS).num_rows
        with atomic_write(target) as draft:
            shutil.copytree(copy, draft)
    return videos


def set_baseline(params: Path, folder: Path) -> None:
    """Set `explain.baseline` in a parameter file; everything else stays, comments included.

    Raises:
        PlainError: the file has no such parameter.
    """
    write_text(params, edited(params.read_text(encoding="utf-8"), {"explain.baseline": folder.as_posix()}))
