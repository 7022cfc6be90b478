"""Training copies of imported features: the vectors of a split as one array, which training maps into memory.

    train/views.npy, val/views.npy     V x B x C, float32; rows as in the table `splits`

Memory stays flat, however many videos there are: a row group is read, and its rows are written where they belong.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.clips.packs import EXCLUDED, TABLE
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import atomic_write
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.features import FeatureFolder

SPLITS = ("train", "val")
ORIGIN = "features.json"
"""What the vectors are, in words: a model that learnt from them says so."""


class Copied(NamedTuple):
    """What was made."""

    videos: int
    bytes: int


def copy_features(target: Path, folder: FeatureFolder, splits: Mapping[str, pa.Table]) -> Copied:
    """Write the vectors of some splits as the folder `target`; its tables of copies and exclusions have no rows.

    Raises:
        PlainError: the features cannot be read, or a video has not all its views.
    """
    about = folder.manifest.visual
    with atomic_write(target) as draft:
        for name, split in splits.items():
            (draft / array_name(name)).parent.mkdir(parents=True)
            _copy(draft / array_name(name), folder, name, split["video_id"].combine_chunks())
        origin = {
            "title": folder.manifest.title,
            "model": about.model,
            "preprocessing": about.preprocessing,
            "licence": folder.manifest.licence,
            "of": "the video's own sound" if about.of_sound else "its pictures",
        }
        (draft / ORIGIN).write_text(json.dumps(origin, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        tables.write("clips", draft / TABLE, tables.empty("clips"))
        tables.write("exclusions", draft / EXCLUDED, tables.empty("exclusions"))
    vectors = sum(split.num_rows * about.views_of(name) for name, split in splits.items())
    size = vectors * folder.manifest.features * np.dtype(np.float32).itemsize
    return Copied(sum(split.num_rows for split in splits.values()), size)


def _copy(path: Path, folder: FeatureFolder, split: str, video_ids: pa.StringArray) -> None:
    shape = folder.manifest.visual.views_of(split), len(video_ids), folder.manifest.features
    if not len(video_ids):
        np.save(path, np.zeros(shape, np.float32))  # a map needs a byte
        return
    array_VBC, begun = np.lib.format.open_memmap(path, "w+", np.dtype("<f4"), shape), 0
    for views_BVC in folder.views_of(video_ids, split):
        array_VBC[:, begun : begun + len(views_BVC)] = views_BVC.swapaxes(0, 1)
        begun += len(views_BVC)
    array_VBC.flush()


def array_name(split: str) -> str:
    """The file of a split's vectors."""
    return f"{split}/views.npy"


def imported_features(clips: Path, split: str) -> np.ndarray:
    """The vectors of a split, V x B x C, mapped from the file.

    Raises:
        PlainError: there are none.
    """
    path = clips / array_name(split)
    try:
        array = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise PlainError(
            f"{path}: cannot be read as imported features: {error}; run `dvc repro prepare_clips`"
        ) from error
    if array.ndim != 3 or array.dtype != np.float32:
        raise PlainError(f"{path}: found {array.dtype} of {array.shape}, expected float32 of views x videos x features")
    return np.asarray(array)


def origin_of(clips: Path) -> dict[str, str]:
    """What the vectors are, in words.

    Raises:
        PlainError: the copies do not say.
    """
    try:
        return {str(key): str(value) for key, value in json.loads((clips / ORIGIN).read_text("utf-8")).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise PlainError(f"{clips / ORIGIN}: cannot be read: {error}; run `dvc repro prepare_clips`") from error


def imported_width(clips: Path) -> int:
    """C, the features of a vector.

    Raises:
        PlainError: there are none.
    """
    return int(imported_features(clips, SPLITS[0]).shape[2])
