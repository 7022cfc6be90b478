"""Read your own annotations: one CSV file, labels by name.

videos.csv     path,split,labels          swimming/a.mp4,train,swimming;splashing
actions.txt    one action a line, in the order of action ids; without it, all labels of videos.csv by alphabet
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, get_args

from pipeline.dataset.annotations import (
    Annotations,
    Faults,
    Ids,
    Split,
    Video,
    lines,
    path_fault,
    read_text,
    vocabulary,
)
from pipeline.foundations.runtime.errors import PlainError

VIDEOS, ACTIONS = "videos.csv", "actions.txt"
COLUMNS = ("path", "split", "labels")
BETWEEN = ";"


class _Row(NamedTuple):
    line: int
    path: str
    split: str
    labels: tuple[str, ...]


def read(folder: Path) -> Annotations:
    """Read and check the annotation files in `folder`.

    Raises:
        PlainError: videos.csv is absent, or rows are malformed; each fault names file, line, found and expected.
    """
    faults = Faults()
    file = folder / VIDEOS
    rows = list(_rows(file, faults))
    actions, source = _vocabulary(folder, rows, faults)
    numbers = {action: number for number, action in enumerate(actions)}
    ids = Ids()
    videos: list[Video] = []
    unlabelled: list[str] = []
    for row in rows:
        video_id, fault = ids.take(row.path, file, row.line)
        strange = [label for label in row.labels if label not in numbers]
        if not fault and row.split not in get_args(Split):
            fault = f"found the split {row.split!r}, expected {', '.join(get_args(Split))}"
        if not fault and strange:
            fault = f"found the label {strange[0]!r}, expected one of {source}"
        if fault:
            faults.add(file, row.line, fault)
        elif row.labels:
            found = tuple(sorted({numbers[label] for label in row.labels}))
            videos.append(Video(video_id, row.path, row.split, found))  # type: ignore[arg-type]  # checked above
        else:
            unlabelled.append(video_id)
    if not rows and not faults.count:
        faults.add(file, 1, "found no video, expected one a row")
    faults.check()
    labels = sum(len(row.labels) for row in rows)
    merged = labels - sum(len(video.actions) for video in videos)
    return Annotations(actions, tuple(videos), merged_labels=merged, unlabelled=tuple(unlabelled))


def _rows(file: Path, faults: Faults) -> Iterator[_Row]:
    reader = csv.DictReader(io.StringIO(read_text(file), newline=""), strict=True)
    try:
        columns = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = columns
        if not set(COLUMNS) <= set(columns):
            raise PlainError(f"{file}: line 1: found the columns {columns}, expected {', '.join(COLUMNS)} among them")
        for row in reader:
            if None in row or None in row.values():
                faults.add(file, reader.line_num, f"found a row of another width, expected {len(columns)} columns")
                continue
            path, split, text = (row[name].strip() for name in COLUMNS)
            fault = path_fault(path)
            if fault:
                faults.add(file, reader.line_num, fault)
            else:
                labels = tuple(label for each in text.split(BETWEEN) if (label := each.strip()))
                yield _Row(reader.line_num, path, split, labels)
    except csv.Error as error:
        faults.add(file, reader.reader.line_num, f"not valid CSV: {error}")


def _vocabulary(folder: Path, rows: list[_Row], faults: Faults) -> tuple[tuple[str, ...], str]:
    """The actions, and where they stand."""
    given = folder / ACTIONS
    if given.exists():
        named = [(number, line) for number, line in lines(given, faults)]
        numbered = [(number, name, index) for index, (number, name) in enumerate(named)]
        return vocabulary(given, numbered, faults), str(given)
    first: dict[str, int] = {}
    for row in rows:
        for label in row.labels:
            first.setdefault(label, row.line)
    numbered = [(first[name], name, index) for index, name in enumerate(sorted(first))]
    return vocabulary(folder / VIDEOS, numbered, faults) if rows or not faults.count else (), str(folder / VIDEOS)
