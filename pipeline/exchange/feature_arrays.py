"""Read features from arrays: NumPy's .npz (nothing is unpickled) or safetensors, one file a split.

id | video | video_id     B: names; in safetensors B x L bytes of UTF-8, filled up with zeros
labels, label_offsets     flat label numbers, and where each video's start (B + 1);  or  targets: B x N, bool
visual                    B x C, or B x V x C of V views
audio | sound | frames    B x P;  or  B x S x D, one embedding a second, of which `seconds` (B) are the video's
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from safetensors import SafetensorError, safe_open

from pipeline.foundations.runtime.errors import PlainError

IDS, SOUNDS = ("id", "video", "video_id"), ("audio", "sound", "frames")
MOST_BYTES = 64 * 2**30
"""Limit on an array's size, since a hostile header may claim any."""


class Record(NamedTuple):
    """A video to import."""

    video_id: str
    labels: tuple[int, ...]
    """Numbers of the vocabulary that its source uses."""
    visual: np.ndarray | None
    """V x C."""
    sound: np.ndarray | None
    """S x D, one embedding each second; a single one where the source has just that."""


def read_arrays(path: Path) -> Iterator[Record]:
    """The videos of a file, in its order.

    Raises:
        PlainError: it cannot be read, or arrays are absent or do not fit one another.
    """
    arrays = _arrays(path)
    ids = _one_of(arrays, IDS)
    if ids is None:
        raise PlainError(f"{path}: found the arrays {sorted(arrays)}, expected names of videos as {' or '.join(IDS)}")
    names = _names(path, ids)
    labels = _labels(path, arrays, len(names))
    visual, sound, seconds = arrays.get("visual"), _one_of(arrays, SOUNDS), arrays.get("seconds")
    for name, array in (("visual", visual), ("sound", sound), ("seconds", seconds)):
        if array is not None and len(array) != len(names):
            raise PlainError(f"{path}: found {len(array):,} rows of {name} and {len(names):,} videos")
    for row, name in enumerate(names):
        seen = None if visual is None else visual[row].reshape(-1, visual.shape[-1])
        heard = None if sound is None else sound[row].reshape(-1, sound.shape[-1])
        if heard is not None and seconds is not None:
            heard = heard[: int(seconds[row])]
        yield Record(name, labels[row], seen, heard)


def _names(path: Path, ids: np.ndarray) -> list[str]:
    """Video ids: strings or bytes; or, since safetensors has neither, rows of UTF-8 bytes filled up with zeros."""
    if ids.dtype == np.uint8 and ids.ndim == 2:
        ids = np.array([row.tobytes().rstrip(b"\0") for row in ids])
    try:
        return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in ids.reshape(-1).tolist()]
    except UnicodeDecodeError as error:
        raise PlainError(f"{path}: a video's name is not UTF-8: {error}") from error


def _arrays(path: Path) -> Mapping[str, np.ndarray]:
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="np") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
        with np.load(path, allow_pickle=False) as content:
            for info in content.zip.infolist():
                if info.file_size > MOST_BYTES:
                    raise PlainError(f"{path}: {info.filename} says it is larger than {MOST_BYTES // 2**30} GB")
            return dict(content)
    except (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, SafetensorError, BadZipFile) as error:
        raise PlainError(f"{path}: cannot be read as arrays: {error}") from error


def _one_of(arrays: Mapping[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray | None:
    return next((arrays[name] for name in names if name in arrays), None)


def _labels(path: Path, arrays: Mapping[str, np.ndarray], videos: int) -> list[tuple[int, ...]]:
    if "targets" in arrays:
        rows: list[list[int]] = [np.flatnonzero(row).tolist() for row in arrays["targets"]]
    elif {"labels", "label_offsets"} <= arrays.keys():
        flat, offsets = arrays["labels"].tolist(), arrays["label_offsets"].tolist()
        if sorted(offsets) != offsets or offsets[:1] != [0] or offsets[-1] != len(flat):
            raise PlainError(f"{path}: label_offsets do not rise from 0 to the {len(flat):,} labels")
        rows = [flat[start:end] for start, end in pairwise(offsets)]
    else:
        raise PlainError(f"{path}: found the arrays {sorted(arrays)}, expected targets, or labels and label_offsets")
    if len(rows) != videos:
        raise PlainError(f"{path}: found labels of {len(rows):,} videos, expected {videos:,}")
    return [tuple(int(label) for label in row) for row in rows]
