"""The labels of a folder of imported features (its layout: `pipeline.foundations.tables.manifest`), and its index.

A video has no file of its own: in the table `videos` its path is the file that holds its vector, with that file's
size and digest, so that auditing and tracing know where it came from.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dataset.annotations import Annotations, Faults, Split, Video, lines, vocabulary
from pipeline.dataset.index import UNLABELLED, Index, actions_table, check_missing, videos_table
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.features import FeatureFolder
from pipeline.foundations.tables.manifest import ACTIONS, LABELS

COLUMNS = pa.schema([("video_id", pa.string()), ("split", pa.string()), ("labels", pa.list_(pa.string()))])
NO_VECTOR = "no vector of it is in the folder of features"


def read(folder: Path) -> Annotations:
    """Read and check the labels in `folder`.

    Raises:
        PlainError: a file is absent or malformed; each fault names file, row, found and expected.
    """
    faults = Faults()
    given = folder / ACTIONS
    named = [(number, name, index) for index, (number, name) in enumerate(lines(given, faults))]
    actions = vocabulary(given, named, faults)
    numbers = {action: number for number, action in enumerate(actions)}
    videos: list[Video] = []
    unlabelled: list[str] = []
    known: set[str] = set()
    labels = 0
    for row, (video_id, split, names) in enumerate(_rows(folder / LABELS), start=1):
        strange = [name for name in names if name not in numbers]
        if not video_id or video_id in known:
            faults.add(folder / LABELS, row, f"found the video {video_id!r} again or without a name")
        elif split not in get_args(Split):
            faults.add(folder / LABELS, row, f"found the split {split!r}, expected {', '.join(get_args(Split))}")
        elif strange:
            faults.add(folder / LABELS, row, f"found the label {strange[0]!r}, expected one of {given}")
        elif names:
            videos.append(Video(video_id, video_id, split, tuple(sorted({numbers[name] for name in names}))))  # type: ignore[arg-type]  # checked above
        else:
            unlabelled.append(video_id)
        known.add(video_id)
        labels += len(names)
    faults.check()
    merged = labels - sum(len(video.actions) for video in videos)
    return Annotations(actions, tuple(videos), merged_labels=merged, unlabelled=tuple(unlabelled))


def _rows(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    try:
        with pq.ParquetFile(path) as file:
            found = [(field.name, _plain(field.type)) for field in file.schema_arrow]
            if found != [(field.name, field.type) for field in COLUMNS]:
                raise PlainError(f"{path}: found the columns {found}, expected {COLUMNS.names}")
            for batch in file.iter_batches(8192):
                if any(batch[name].null_count for name in COLUMNS.names) or batch["labels"].flatten().null_count:
                    raise PlainError(f"{path}: found nulls, expected none")
                yield from zip(*(batch[name].to_pylist() for name in COLUMNS.names), strict=True)
    except (OSError, pa.ArrowException) as error:
        raise PlainError(f"{path}: cannot be read as labels: {error}") from error


def _plain(kind: pa.DataType) -> pa.DataType:
    """A list's type whatever its items are called."""
    return pa.list_(kind.value_type) if pa.types.is_list(kind) else kind


def build_feature_index(annotations: Annotations, folder: FeatureFolder, *, max_missing_rate: float) -> Index:
    """The tables of stage `index` for imported features; every file is compared with the manifest first.

    Raises:
        PlainError: a file is not the manifest's, a video lacks a view, or more than `max_missing_rate` of the videos
            have no vector.
    """
    folder.verify()
    views: dict[str, int] = {}
    file_of: dict[str, str] = {}
    for name, ids in folder.video_ids("visual"):
        for video_id in ids.to_pylist():
            file_of[video_id] = name
            views[video_id] = views.get(video_id, 0) + 1
    for video in annotations.videos:
        wanted = folder.manifest.visual.views_of(video.split)
        if views.get(video.video_id, wanted) != wanted:
            raise PlainError(
                f"{folder.features}: video {video.video_id} has {views[video.video_id]} views, and the manifest says "
                f"{wanted} of each"
            )
    reasons = {video.video_id: NO_VECTOR for video in annotations.videos if video.video_id not in views}
    check_missing(reasons, len(annotations.videos), folder.features, max_missing_rate)
    usable = [
        video._replace(path=file_of[video.video_id]) for video in annotations.videos if video.video_id not in reasons
    ]
    parts = [folder.manifest.files[video.path] for video in usable]
    reasons |= dict.fromkeys(annotations.unlabelled, UNLABELLED)
    return Index(
        videos=videos_table(usable, [part.bytes for part in parts], [part.sha256 for part in parts]),
        actions=actions_table(annotations.actions),
        missing=tables.from_columns("exclusions", {"video_id": list(reasons), "reason": list(reasons.values())}),
    )
