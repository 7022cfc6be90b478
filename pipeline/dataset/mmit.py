"""Read annotations in the format of Multi-Moments in Time.

moments_categories.txt                                      name,index
trainingSet.txt, validationSet.txt, testSet.txt (optional)  folder/file.mp4,index[,index...]
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.dataset.annotations import (
    Annotations,
    Faults,
    Ids,
    Split,
    Video,
    lines,
    path_fault,
    vocabulary,
    whole_number,
)

CATEGORIES = "moments_categories.txt"
SPLIT_FILES: dict[Split, str] = {"train": "trainingSet.txt", "val": "validationSet.txt", "test": "testSet.txt"}


def read(folder: Path) -> Annotations:
    """Read and check the annotation files in `folder`; `testSet.txt` only where it is there.

    A million rows take some seconds.

    Raises:
        PlainError: a file is absent, or lines are malformed; each fault names file, line, found and expected.
    """
    faults = Faults()
    actions = _read_categories(folder / CATEGORIES, faults)
    labels = _Labels(len(actions))
    videos: list[Video] = []
    ids = Ids()
    with _no_cycles():
        for split, name in SPLIT_FILES.items():
            file = folder / name
            if split != "test" or file.exists():
                videos += _read_split(file, split, labels, ids, faults)
    faults.check()
    return Annotations(actions=actions, videos=tuple(videos), merged_labels=labels.merged)


@contextmanager
def _no_cycles() -> Iterator[None]:
    """Disable garbage collection of cycles while rows are added, which takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_split(file: Path, split: Split, actions: int) -> tuple[Video, ...]:
    """Read and check one file of `folder/file.mp4,index[,index...]` lines, for a vocabulary of N actions.

    Raises:
        PlainError: the file is absent, or lines are malformed, each named.
    """
    faults = Faults()
    videos = _read_split(file, split, _Labels(actions), Ids(), faults)
    faults.check()
    return tuple(videos)


def _read_categories(file: Path, faults: Faults) -> tuple[str, ...]:
    rows: list[tuple[int, str, int]] = []
    for number, line in lines(file, faults):
        name, _, index = (part.strip() for part in line.rpartition(","))
        if name and (found := whole_number(index)) is not None:
            rows.append((number, name, found))
        else:
            faults.add(file, number, f"found {line!r}, expected name,index")
    return vocabulary(file, rows, faults)


class _Labels:
    """Reads the labels of a line: `3,17,3` as (3, 17). Most lines repeat what an earlier one said."""

    def __init__(self, actions: int) -> None:
        self.actions = actions
        self.known: dict[str, tuple[tuple[int, ...], int]] = {}
        self.merged = 0

    def read(self, text: str) -> tuple[int, ...]:
        """Action ids, ascending, none twice.

        Raises:
            ValueError: the text is no list of known indices; the message says what was found and expected.
        """
        if text not in self.known:
            indices = [self._index(part.strip()) for part in text.split(",")]
            distinct = sorted(set(indices))
            self.known[text] = tuple(distinct), len(indices) - len(distinct)
        ids, repeated = self.known[text]
        self.merged += repeated
        return ids

    def _index(self, label: str) -> int:
        if not label:
            raise ValueError("found an empty label, expected an action's index")
        index = whole_number(label)
        if index is None or index >= self.actions:
            raise ValueError(
                f"found the label {label!r}, expected an index from 0 to {self.actions - 1} ({CATEGORIES})"
            )
        return index


def _read_split(file: Path, split: Split, labels: _Labels, ids: Ids, faults: Faults) -> list[Video]:
    """The videos of one file; `ids` are those of all files."""
    videos: list[Video] = []
    faults_before = faults.count
    for number, line in lines(file, faults):
        path, comma, rest = line.partition(",")
        path = path.rstrip()
        fault = path_fault(path)
        if not fault and not comma:
            fault = f"found no label behind {path!r}, expected folder/file.mp4,index[,index...]"
            if split == "test":
                fault += "; a test file without labels cannot be scored: leave it out"
        if fault:
            faults.add(file, number, fault)
            continue
        video_id, fault = ids.take(path, file, number)
        if fault:
            faults.add(file, number, fault)
            continue
        try:
            videos.append(Video(video_id, path, split, labels.read(rest)))
        except ValueError as error:
            faults.add(file, number, str(error))
    if not videos and faults.count == faults_before:
        faults.add(file, 1, "found no video, expected one a line")
    return videos
