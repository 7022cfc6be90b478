"""Index: which annotated videos exist, with their SHA-256.

Later stages open only what stands in the `videos` table and refuse files that changed since. A video that is
absent, or no readable file below the videos' folder, is left out by name with a reason (DESIGN.md, invariant 1).

One rule on links: a video, or a folder on its way, may be a link that leads below the videos' folder or one of
`dataset.stores`. It is followed here, once: column `path` has the file that it led to, whole where that is in a store,
and later stages open that file and no link.
"""

import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipeline.dataset.annotations import Annotations, Video, words_of
from pipeline.dataset.digests import FileState, digests
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import track
from pipeline.foundations.tables import tables

_NAMED = 3  # missing videos that the log names; the table has them all
_BATCH = 512  # videos that a thread looks at before it reports
UNLABELLED = "the data set lists no action for it"


class Index(NamedTuple):
    """The tables of stage `index`."""

    videos: pa.Table
    actions: pa.Table
    missing: pa.Table
    """Schema `exclusions`: the annotated videos that cannot be used, and why."""


def build_index(
    annotations: Annotations, root: Path, *, stores: Sequence[Path] = (), max_missing_rate: float, workers: int
) -> Index:
    """Look at every annotated video below `root` and hash it; unchanged files keep the hash of an earlier run.

    Args:
        annotations: the videos.
        root: the folder that their paths start from.
        stores: other folders that links may lead to.
        max_missing_rate: of videos that cannot be used.
        workers: threads.

    Raises:
        PlainError: the folder is absent, or more than `max_missing_rate` of the videos cannot be used.
    """
    states, reasons = survey(annotations.videos, root, stores=stores, workers=workers)
    check_missing(reasons, len(annotations.videos), root, max_missing_rate)  # before hours of hashing
    found = dict(zip(states, digests(list(states.values()), workers=workers), strict=True))
    reasons |= {video_id: digest.reason for video_id, digest in found.items() if digest.reason}
    check_missing(reasons, len(annotations.videos), root, max_missing_rate)
    usable = [video for video in annotations.videos if video.video_id not in reasons]
    home = Path(os.path.realpath(root))
    usable = [video._replace(path=_below(states[video.video_id].path, home)) for video in usable]
    sizes = [states[video.video_id].bytes for video in usable]
    sha256 = [found[video.video_id].sha256 for video in usable]
    reasons |= dict.fromkeys(annotations.unlabelled, UNLABELLED)
    missing = {"video_id": list(reasons), "reason": list(reasons.values())}
    return Index(
        videos=videos_table(usable, sizes, sha256),
        actions=actions_table(annotations.actions),
        missing=tables.from_columns("exclusions", missing),
    )


def label_index(annotations: Annotations) -> Index:
    """The tables of the labels alone: every annotated video, as if none had a file (no bytes, no hash)."""
    videos = annotations.videos
    reasons = dict.fromkeys(annotations.unlabelled, UNLABELLED)
    return Index(
        videos=videos_table(videos, [0] * len(videos), [""] * len(videos)),
        actions=actions_table(annotations.actions),
        missing=tables.from_columns("exclusions", {"video_id": list(reasons), "reason": list(reasons.values())}),
    )


def _below(path: str, home: Path) -> str:
    """A file's path as the table has it: below `home`, or whole."""
    return path.removeprefix(f"{home}/")


def survey(
    videos: Sequence[Video], root: Path, *, stores: Sequence[Path] = (), workers: int
) -> tuple[dict[str, FileState], dict[str, str]]:
    """By video id: the files that are there, links followed, and for the others the reason; nothing is opened.

    Raises:
        PlainError: `root` is no folder, or a store is none.
    """
    for store in stores:
        if not store.is_dir():
            raise PlainError(f"dataset.stores: found no folder at {store}, expected those that links may lead to")
    if not root.is_dir():
        raise PlainError(f"dataset.videos: found no folder at {root}, expected the one that holds the videos")
    look = _looker(root, stores)
    states: dict[str, FileState] = {}
    reasons: dict[str, str] = {}
    for video, found in track(_looks(videos, look, workers), total=len(videos), label="looking for videos"):
        if isinstance(found, FileState):
            states[video.video_id] = found
        else:
            reasons[video.video_id] = found
    return states, reasons


def _looks(
    videos: Sequence[Video], look: Callable[[str], FileState | str], workers: int
) -> Iterator[tuple[Video, FileState | str]]:
    """Look at videos in threads, a batch each, since folders on a network answer slowly."""
    batches = [videos[start : start + _BATCH] for start in range(0, len(videos), _BATCH)]
    with ThreadPoolExecutor(workers) as pool:
        for batch, found in zip(batches, pool.map(lambda batch: [look(v.path) for v in batch], batches), strict=True):
            yield from zip(batch, found, strict=True)


def _looker(root: Path, stores: Sequence[Path]) -> Callable[[str], FileState | str]:
    """A function from a video's path to the state of its file, or to the reason it cannot be used."""
    home = os.path.realpath(root)
    allowed = tuple(f"{os.path.realpath(str(folder))}/" for folder in (home, *stores))
    real_folder = cache(os.path.realpath)  # a folder holds many videos

    def look(path: str) -> FileState | str:
        full = f"{home}/{path}"
        try:
            found = os.lstat(full)
            if linked := stat.S_ISLNK(found.st_mode):
                found = os.stat(full)  # noqa: PTH116 (a million of them)
        except FileNotFoundError:
            return _absent(home, path)
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        folder, _, name = full.rpartition("/")
        real = os.path.realpath(full) if linked else f"{real_folder(folder)}/{name}"
        if not real.startswith(allowed):
            return f"a link that leads out of the videos' folder, to {real}; dataset.stores names where links may lead"
        if not stat.S_ISREG(found.st_mode):
            return "not a regular file"
        return FileState(real, found.st_size, found.st_mtime_ns)

    return look


def _absent(home: str, path: str) -> str:
    """Why a file is not found, as far as known."""
    for form in ("NFC", "NFD"):
        other = unicodedata.normalize(form, path)
        if other != path and os.path.lexists(f"{home}/{other}"):
            return f"no such file; one whose name is written in Unicode's {form} is there: rename it, or write it so"
    return "no such file: a link leads to nothing" if os.path.islink(f"{home}/{path}") else "no such file"  # noqa: PTH114


def check_missing(reasons: dict[str, str], videos: int, root: Path, most: float) -> None:
    """Stop if too many of `videos` annotated videos cannot be used.

    Raises:
        PlainError: their fraction is above `most`, or nothing is left; the first ones are named.
    """
    if not reasons or (len(reasons) <= most * videos and len(reasons) < videos):
        return
    named = "".join(f"\n  {video_id}: {reason}" for video_id, reason in list(reasons.items())[:_NAMED])
    more = f"\n  and {len(reasons) - _NAMED:,} more" if len(reasons) > _NAMED else ""
    raise PlainError(
        f"{len(reasons):,} of {videos:,} annotated videos cannot be used below {root}; index.max_missing_rate "
        f"allows {most:.2%}. Bring them, or raise it to leave them out by name.{named}{more}"
    )


def videos_table(videos: Sequence[Video], sizes: Sequence[int], sha256: Sequence[str]) -> pa.Table:
    """Schema `videos`; a million rows take a few seconds."""
    columns = {
        "video_id": [video.video_id for video in videos],
        "path": [video.path for video in videos],
        "split": [video.split for video in videos],
        "actions": [video.actions for video in videos],
        "bytes": sizes,
        "sha256": sha256,
    }
    return tables.from_columns("videos", columns)


def actions_table(actions: Sequence[str]) -> pa.Table:
    """Schema `actions`."""
    columns = {"action_id": range(len(actions)), "action": actions, "words": [words_of(name) for name in actions]}
    return tables.from_columns("actions", columns)


def summary(annotations: Annotations, index: Index) -> str:
    """A summary of the index, for the stage's last line."""
    splits = Counter(index.videos["split"].to_pylist())
    labels = len(index.videos["actions"].combine_chunks().flatten())
    parts = ", ".join(f"{splits[split]:,} {split}" for split in ("train", "val", "test"))
    line = f"{index.videos.num_rows:,} videos ({parts}) with {labels:,} labels of {index.actions.num_rows} actions"
    if annotations.merged_labels:
        line += f"; {annotations.merged_labels:,} labels that their line repeats, merged"
    if index.missing.num_rows:
        first = ", ".join(index.missing["video_id"].slice(0, _NAMED).to_pylist())
        more = ", ..." if index.missing.num_rows > _NAMED else ""
        line += f"; {index.missing.num_rows:,} left out, with reasons in missing.parquet: {first}{more}"
    return line
