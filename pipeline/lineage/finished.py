"""What an export needs of a finished run: its records, unchanged files, and copies of them."""

import os
import shutil
from pathlib import Path

from pipeline.foundations.runtime.digests import files_below, md5
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.record_store import Record
from pipeline.lineage.lock import Recorded, Stage
from pipeline.lineage.records import ABSENT, record_of


def read_record(root: Path, stage: Stage) -> Record:
    """The record of the run that made a stage's result in dvc.lock.

    Raises:
        PlainError: none is known.
    """
    record = record_of(root, stage)
    if record is None:
        raise PlainError(
            f"{stage.name}: {ABSENT}; `git pull` may bring it, `dvc repro --force --single-item {stage.name}` runs the "
            "stage here and leaves one"
        )
    return record


def check_unchanged(root: Path, entry: Recorded, stage: str) -> None:
    """Check a file or folder against its digest in dvc.lock.

    Raises:
        PlainError: it is not the same.
    """
    try:
        found = md5(root / entry.path)
    except OSError as error:
        found = error.strerror or "unreadable"
    if found != entry.md5:
        raise PlainError(
            f"{entry.path} has changed since {stage} ran: its digest was {entry.md5} and is {found}; "
            "run `dvc repro` first (`m3a audit` tells what else has changed)"
        )


def copy_to(source: Path, target: Path, *, link: bool) -> None:
    """Copy a file, or all files of a folder, to `target`; files that are there stay.

    Args:
        source: file or folder of the project.
        target: where it goes; folders above it are made.
        link: by hard link where the file system allows. Only for what stages write, which is replaced and never
            edited; what people edit must be copied.

    Raises:
        OSError: a file cannot be read or written.
    """
    files = [source]
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        files = files_below(source)
    for file in files:
        place = target / file.relative_to(source)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            _put(file.resolve(), place, link=link)


def _put(source: Path, target: Path, *, link: bool) -> None:
    if link:
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without hard links
            link = False
    if not link:
        shutil.copyfile(source, target)
