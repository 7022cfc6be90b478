"""Sample Mini M-MiT (Section 4.1): the training videos, and the action for which each was drawn.

Training videos without an audio stream are removed; then 300 are drawn for a category with more, and all for one
with fewer. The paper does not say what a video's category is, where it has several labels: both readings are
here (`split_mini.draw`). Validation and test videos pass as they are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.foundations.params import SplitMini
from pipeline.foundations.params.foresight import Training
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.seeds import seed_of

if TYPE_CHECKING:
    from pipeline.dataset.annotations import Annotations  # which stage split_mini does not need

WITHOUT_STREAM = ("no_audio_stream", "undecodable")
"""Verdicts that bar a video where an audio stream is required: one that cannot be decoded is not known to have a
usable one, and no other video takes its place."""
_FOLDER = "^(?P<folder>[^/]*)/"
"""What precedes a path's first slash."""


class Splits(NamedTuple):
    """Tables of schema `splits`; `drawn_for` is null where nothing was drawn."""

    train: pa.Table
    val: pa.Table
    test: pa.Table


def make_splits(videos: pa.Table, actions: pa.Table, verdicts: pa.Table, params: SplitMini, *, seed: int) -> Splits:
    """Draw the training split from the tables `videos`, `actions` and `verdicts`.

    Raises:
        PlainError: no training video is left, or the draw is by folder and a folder is no action.
    """
    annotated = _of_split(videos, "train")
    candidates = with_audio_stream(annotated, verdicts, required=params.require_audio_stream)
    if not candidates.num_rows:
        raise PlainError(
            f"found no training video to draw from: {annotated.num_rows:,} annotated, and split_mini."
            f"require_audio_stream is {str(params.require_audio_stream).lower()}; see data/audible/verdicts.parquet"
        )
    if params.draw == "all":
        train = _splits_table(candidates)
    else:
        names = actions["action"].to_pylist()
        pools = by_folder(candidates, names) if params.draw == "folder" else by_label(candidates)
        drawn = draw(pools, candidates["video_id"].to_pylist(), names, per_action=params.per_action, seed=seed)
        rows = sorted(drawn)
        train = _splits_table(candidates.take(pa.array(rows, pa.int64())), [drawn[row] for row in rows])
    return Splits(train, _splits_table(_of_split(videos, "val")), _splits_table(_of_split(videos, "test")))


def with_audio_stream(videos: pa.Table, verdicts: pa.Table, *, required: bool) -> pa.Table:
    """The videos that may be drawn."""
    if not required:
        return videos
    barred = verdicts.filter(pc.is_in(verdicts["verdict"], pa.array(WITHOUT_STREAM)))
    return videos.filter(pc.invert(pc.is_in(videos["video_id"], barred["video_id"].combine_chunks())))


def by_folder(videos: pa.Table, actions: Sequence[str]) -> dict[int, np.ndarray]:
    """Rows of `videos` by the action that their folder names.

    A folder names an action in full, or as one of its `/` alternatives: `colliding` is `hitting/colliding`.

    Raises:
        PlainError: a video has no folder, or its folder names no action.
    """
    matched = pc.extract_regex(videos["video_id"], _FOLDER).combine_chunks()  # a file may lie elsewhere: a link
    folders = pc.fill_null(matched.field("folder"), "").dictionary_encode()  # a few names, a million times
    rows, names, action_of = folders.indices.to_numpy(), folders.dictionary.to_pylist(), _folder_names(actions)
    for folder in sorted(set(names) - action_of.keys()):
        found = np.flatnonzero(rows == names.index(folder))
        raise PlainError(
            f"split_mini.draw is folder, and found {len(found):,} training videos such as "
            f"{videos['path'][int(found[0])].as_py()!r}, whose first folder names no action; expected a name of the "
            "vocabulary. Draw by label instead, or all"
        )
    return _group(np.array([action_of[folder] for folder in names], dtype=np.int64)[rows], np.arange(len(rows)))


def training_of(annotations: "Annotations") -> Training:
    """The training videos as a draw would see them, before any file is looked at."""
    training = [video for video in annotations.videos if video.split == "train"]
    action_of = _folder_names(annotations.actions)
    folders = [video.video_id.partition("/")[0] if "/" in video.video_id else "" for video in training]
    return Training(
        videos=len(training),
        folders=Counter(folders),
        labels=Counter(action for video in training for action in video.actions),
        strange=tuple(video.path for video, folder in zip(training, folders, strict=True) if folder not in action_of),
    )


def _folder_names(actions: Sequence[str]) -> dict[str, int]:
    """Action ids by the folder names that mean them; an action's full name goes before another's alternative."""
    full = {action: number for number, action in enumerate(actions)}
    alternatives = [(part, number) for action, number in full.items() for part in action.split("/")]
    shared = Counter(part for part, _ in alternatives)
    return {part: number for part, number in alternatives if shared[part] == 1} | full


def by_label(videos: pa.Table) -> dict[int, np.ndarray]:
    """Rows of `videos` by each of their actions: a video with three labels stands in three pools."""
    labels = videos["actions"].combine_chunks()
    return _group(labels.flatten().to_numpy().astype(np.int64), pc.list_parent_indices(labels).to_numpy())


def _group(actions: np.ndarray, rows: np.ndarray) -> dict[int, np.ndarray]:
    """Rows by action, actions ascending."""
    order = np.argsort(actions, kind="stable")
    present, starts = np.unique(actions[order], return_index=True)
    return dict(zip(present.tolist(), np.split(rows[order], starts[1:]), strict=True))


def draw(
    pools: Mapping[int, Iterable[int]], video_ids: Sequence[str], actions: Sequence[str], *, per_action: int, seed: int
) -> dict[int, int]:
    """Draw up to `per_action` rows for each action; returns rows, each with the lowest action that drew it.

    A video's lot depends on the seed, the action's name and its own id alone, never on who else is there: the
    lowest lots win, and a video more or less moves at most one other across the line.
    """
    drawn: dict[int, int] = {}
    for action in sorted(pools):
        lots = ((seed_of(seed, "split_mini", actions[action], video_ids[row]), row) for row in pools[action])
        for _, row in nsmallest(per_action, lots):
            drawn.setdefault(row, action)
    return drawn


def videos_per_action(train: pa.Table, n: int) -> np.ndarray:
    """How many videos of a split have each of `n` actions among their labels."""
    return np.bincount(train["actions"].combine_chunks().flatten().to_numpy(), minlength=n)


def summary(splits: Splits, videos: pa.Table, actions: pa.Table, params: SplitMini) -> str:
    """A summary of the splits, for the stage's last line."""
    annotated = _of_split(videos, "train").num_rows
    drawn = "" if params.draw == "all" else f", up to {params.per_action:,} drawn for each {params.draw}"
    counts = videos_per_action(splits.train, actions.num_rows)
    rarest = int(counts.argmin())
    return (
        f"{splits.train.num_rows:,} of {annotated:,} training videos{drawn}; the rarest of {len(counts)} actions is "
        f"{actions['action'][rarest]}, with {counts[rarest]:,} videos; {splits.val.num_rows:,} val and "
        f"{splits.test.num_rows:,} test videos, as annotated"
    )


def _of_split(videos: pa.Table, split: str) -> pa.Table:
    return videos.filter(pc.equal(videos["split"], split))


def _splits_table(videos: pa.Table, drawn_for: Sequence[int] | None = None) -> pa.Table:
    columns = {
        "video_id": videos["video_id"],
        "actions": videos["actions"],
        "drawn_for": [None] * videos.num_rows if drawn_for is None else drawn_for,
    }
    return tables.from_columns("splits", columns)
