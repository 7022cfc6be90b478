"""Read annotations in Charades' format: whole videos with all their actions.

    Charades_v1_classes.txt                       c000 Holding some clothes
    Charades_v1_train.csv, Charades_v1_test.csv   id,...,actions,length; actions: "c092 11.90 21.20;c147 0.00 12.60"

The published test file is the split that papers score; it is `val` here. The times are of localization, which is
another task, so only their form is checked. Some published rows have no action at all.
"""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.dataset.annotations import Annotations, Faults, Split, Video, lines, path_fault, read_text, vocabulary
from pipeline.foundations.runtime.errors import PlainError

CLASSES = "Charades_v1_classes.txt"
SPLIT_FILES: dict[Split, str] = {"train": "Charades_v1_train.csv", "val": "Charades_v1_test.csv"}
SUFFIX = ".mp4"
_CLASS = re.compile(r"c(\d{1,9})\s+(.+)", re.ASCII)
_SEGMENT = re.compile(r"c(\d{1,9}) +-?\d+(?:\.\d+)? +-?\d+(?:\.\d+)?", re.ASCII)


def read(folder: Path) -> Annotations:
    """Read and check the annotation files in `folder`.

    Raises:
        PlainError: a file is absent, or rows are malformed; each fault names file, line, found and expected.
    """
    faults = Faults()
    actions = _read_classes(folder / CLASSES, faults)
    videos: list[Video] = []
    unlabelled: list[str] = []
    segments = 0
    seen: dict[str, tuple[Path, int]] = {}
    for split, name in SPLIT_FILES.items():
        file = folder / name
        for number, video_id, text in _rows(file, faults):
            fault = path_fault(video_id) or _again(video_id, file, seen)
            if fault:
                faults.add(file, number, fault)
                continue
            seen[video_id] = file, number
            ids = _read_segments(text, len(actions), file, number, faults)
            segments += len(ids)
            if ids:
                videos.append(Video(video_id, video_id + SUFFIX, split, tuple(sorted(set(ids)))))
            else:
                unlabelled.append(video_id)
    if not seen and not faults.count:
        faults.add(folder / SPLIT_FILES["train"], 1, "found no video, expected one a row")
    faults.check()
    merged = segments - sum(len(video.actions) for video in videos)
    return Annotations(actions, tuple(videos), merged_labels=merged, unlabelled=tuple(unlabelled))


def _read_classes(file: Path, faults: Faults) -> tuple[str, ...]:
    rows: list[tuple[int, str, int]] = []
    for number, line in lines(file, faults):
        if match := _CLASS.fullmatch(line):
            rows.append((number, match[2], int(match[1])))
        else:
            faults.add(file, number, f"found {line!r}, expected an index and a name, as in: c000 Holding some clothes")
    return vocabulary(file, rows, faults)


def _rows(file: Path, faults: Faults) -> Iterator[tuple[int, str, str]]:
    """Line, id and actions of each row; columns are found by name, since there are eleven and two count."""
    reader = csv.DictReader(io.StringIO(read_text(file), newline=""), strict=True)
    try:
        columns = reader.fieldnames or []
        if not {"id", "actions"} <= set(columns):
            raise PlainError(f"{file}: line 1: found the columns {list(columns)}, expected id and actions among them")
        for row in reader:
            if None in row or None in row.values():
                faults.add(file, reader.line_num, f"found a row of another width, expected {len(columns)} columns")
            else:
                yield reader.line_num, row["id"].strip(), row["actions"].strip()
    except csv.Error as error:
        faults.add(file, reader.reader.line_num, f"not valid CSV: {error}")


def _again(video_id: str, file: Path, seen: dict[str, tuple[Path, int]]) -> str | None:
    if video_id not in seen:
        return None
    first_file, first_line = seen[video_id]
    where = f"line {first_line:,}" if file == first_file else f"line {first_line:,} of {first_file.name}"
    return f"found the video {video_id!r} again, first on {where}; expected each once, in one split"


def _read_segments(text: str, actions: int, file: Path, line: int, faults: Faults) -> list[int]:
    """Action ids of `c092 11.90 21.20;c147 0.00 12.60`, repeats included."""
    ids: list[int] = []
    for segment in filter(None, text.split(";")):
        match = _SEGMENT.fullmatch(segment.strip())
        if not match:
            faults.add(file, line, f"found the action {segment!r}, expected index, start and end: c092 11.90 21.20")
        elif int(match[1]) >= actions:
            faults.add(file, line, f"found the action c{match[1]}, expected c000 to c{actions - 1:03d} ({CLASSES})")
        else:
            ids.append(int(match[1]))
    return ids
