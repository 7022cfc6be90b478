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
from pipeline.foundations.tables.features import FeatureFolder, rows_among

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
    about, features = folder.manifest.visual, folder.manifest.features
    with atomic_write(target) as draft:
        for name in splits:
            (draft / array_name(name)).parent.mkdir(parents=True)
        arrays = {
            name: np.lib.format.open_memmap(
                draft / array_name(name),
                "w+",
                np.dtype("<f4"),
                (about.views_of(name), split.num_rows, features),
            )
            for name, split in splits.items()
            if split.num_rows  # a map needs a byte
        }
        for name, split in splits.items():
            if not split.num_rows:
                np.save(draft / array_name(name), np.zeros((about.views_of(name), 0, features), np.float32))
        _fill(arrays, folder, splits)
        total = sum(array.nbytes for array in arrays.values())
        for array in arrays.values():
            array.flush()
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
    return Copied(sum(split.num_rows for split in splits.values()), total)


def _fill(arrays: Mapping[str, np.ndarray], folder: FeatureFolder, splits: Mapping[str, pa.Table]) -> None:
    ids = {name: splits[name]["video_id"].combine_chunks() for name in arrays}
    written = dict.fromkeys(arrays, 0)
    for rows in folder.read("visual"):
        for name, array in arrays.items():
            found, videos = rows_among(ids[name], rows)
            array[rows.views[found], videos] = rows.values[found]
            written[name] += len(found)
    for name, array in arrays.items():
        if written[name] != array.shape[0] * array.shape[1]:
            raise PlainError(
                f"{folder.features}: found {written[name]:,} vectors of the {name} split, expected "
                f"{array.shape[0]:,} of each of its {array.shape[1]:,} videos; run `dvc repro index`"
            )


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
