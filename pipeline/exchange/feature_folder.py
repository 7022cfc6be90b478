"""Write a folder of imported features (layout: `pipeline.foundations.tables.manifest`).

Videos come in any order and the files are sorted by video id, so vectors go to a spool on disk first and are read
back in order. Memory holds the ids, the labels and one row group, however many videos there are.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables.features import dequantized
from pipeline.foundations.tables.manifest import (
    ACTIONS,
    LABELS,
    LAYOUT,
    SPLITS,
    Kind,
    Manifest,
    Part,
    Quantization,
    Sound,
    Split,
    Standard,
    Visual,
    standard_deviation,
    write_manifest,
)

BLOCK = 65_536
"""Vectors read at once."""
GROUP_BYTES, PART_BYTES = 16 * 2**20, 512 * 2**20
"""Stored bytes of a row group, and of a file."""
SILENCE_VIDEOS, SILENCE_RATE = 10, 0.001
"""Real sounds never agree to the last bit, so a form that at least so many videos, and so large a fraction of them,
share is the embedding of digital silence."""


class Item(NamedTuple):
    """A video to write."""

    video_id: str
    split: str
    labels: tuple[str, ...]
    vectors: np.ndarray
    """V x C, as they are stored: uint8, float16 or float32."""
    form: np.ndarray | None
    """P, likewise; None for a video without sound."""


class Origin(NamedTuple):
    """The manifest's fields that are given, not counted."""

    title: str
    origin: str
    licence: str
    model: str
    """Of X."""
    sound_model: str
    revision: str
    preprocessing: str
    sound_preprocessing: str
    standardize: bool
    """Whether X is standardized when it is read: mean 0 and equal deviations over the training videos."""
    constant: float | None
    of_sound: bool
    whitened: bool
    quantization: Quantization | None
    """Of X, where it is stored as uint8."""
    sound_quantization: Quantization | None


def write_folder(target: Path, items: Iterable[Item], actions: Sequence[str], origin: Origin) -> Manifest:
    """Write `items` as the folder `target`, atomically.

    Raises:
        PlainError: there is no item, a video comes twice, or vectors are not all of one type and size.
    """
    with files.atomic_write(target) as draft:
        (draft / "annotations").mkdir(parents=True)
        (draft / "features").mkdir()
        spooled = _spool(draft / "spool", items)
        order = np.argsort(np.array(spooled.video_ids, dtype=object), kind="stable")
        _check_ids([spooled.video_ids[row] for row in order])
        parts: dict[str, Part] = {}
        for kind, place in (("visual", spooled.visual), ("sound", spooled.sound)):
            if place is not None:
                parts |= _write_parts(draft / "features", kind, place, spooled.video_ids, order)  # type: ignore[arg-type]
        manifest = _manifest(spooled, parts, origin)
        _write_labels(draft / "annotations" / LABELS, spooled, order)
        (draft / "annotations" / ACTIONS).write_text("".join(f"{name}\n" for name in actions), encoding="utf-8")
        write_manifest(draft / "annotations", manifest)
        for path in (draft / "spool").iterdir():
            path.unlink()
        (draft / "spool").rmdir()
    return manifest


class _Spooled(NamedTuple):
    """Vectors on disk in order of arrival; `rows` has the video of each."""

    memory: np.ndarray
    """R x size, mapped from the file."""
    rows: np.ndarray
    """R, places in `video_ids`."""


class _Spool(NamedTuple):
    video_ids: list[str]
    splits: list[str]
    labels: list[tuple[str, ...]]
    visual: _Spooled
    views: dict[str, int]
    """Of each split's videos."""
    sound: _Spooled | None


def _spool(folder: Path, items: Iterable[Item]) -> _Spool:
    folder.mkdir()
    video_ids: list[str] = []
    splits, labels, heard, seen = [], [], [], []
    views: dict[str, int] = {}
    shapes: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
    with (folder / "visual").open("wb") as visual, (folder / "sound").open("wb") as sound:
        for item in items:
            if views.setdefault(item.split, len(item.vectors)) != len(item.vectors):
                raise PlainError(
                    f"video {item.video_id}: found {len(item.vectors)} vectors, expected {views[item.split]} as of the "
                    f"{item.split} videos before"
                )
            for vector in item.vectors:
                _append(visual, item, "vector", vector, shapes)
                seen.append(len(video_ids))
            if item.form is not None:
                _append(sound, item, "form", item.form, shapes)
                heard.append(len(video_ids))
            video_ids.append(item.video_id)
            splits.append(item.split)
            labels.append(item.labels)
    if not video_ids:
        raise PlainError("found no video to import: are the files empty, or do none of them have the labels kept?")
    (size,), kind = shapes["vector"]
    vectors = _Spooled(np.memmap(folder / "visual", kind, "r", shape=(len(seen), size)), np.array(seen))
    if not heard:
        return _Spool(video_ids, splits, labels, vectors, views, None)
    (size,), kind = shapes["form"]
    forms = _Spooled(np.memmap(folder / "sound", kind, "r", shape=(len(heard), size)), np.array(heard))
    return _Spool(video_ids, splits, labels, vectors, views, forms)


def _append(
    file: BinaryIO, item: Item, name: str, array: np.ndarray, shapes: dict[str, tuple[tuple[int, ...], np.dtype]]
) -> None:
    found = array.shape, array.dtype
    expected = shapes.setdefault(name, found)
    if found != expected or array.dtype not in (np.uint8, np.float16, np.float32):
        raise PlainError(
            f"video {item.video_id}: found {name} of {found[1]} {found[0]}, expected {expected[1]} {expected[0]} as "
            "those before; uint8, float16 or float32"
        )
    if array.dtype != np.uint8 and not np.isfinite(array).all():
        raise PlainError(f"video {item.video_id}: found a number in its {name} that is not finite")
    file.write(np.ascontiguousarray(array).tobytes())


def _check_ids(rising: Sequence[str]) -> None:
    if not rising[0]:
        raise PlainError("found a video without an id")
    if twice := next((a for a, b in pairwise(rising) if a == b), None):
        raise PlainError(f"found the video {twice} twice; expected each in one split, once")


def _write_parts(
    folder: Path, kind: Kind, spooled: _Spooled, video_ids: Sequence[str], order: np.ndarray
) -> dict[str, Part]:
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    rows = np.argsort(rank[spooled.rows], kind="stable")  # views stay in their order
    width = max(1, spooled.memory.shape[1] * spooled.memory.itemsize)
    in_group, in_part = max(1, GROUP_BYTES // width), max(1, PART_BYTES // width)
    parts = {}
    for number, start in enumerate(range(0, len(rows), in_part)):
        path = folder / f"{kind}-{number:05d}.parquet"
        own = rows[start : start + in_part]
        groups = (
            _group(kind, spooled, own[first : first + in_group], video_ids) for first in range(0, len(own), in_group)
        )
        _write_part(path, groups, in_group)
        parts[path.name] = Part(rows=len(own), bytes=path.stat().st_size, sha256=files.sha256(path))
    return parts


def _group(kind: Kind, spooled: _Spooled, rows: np.ndarray, video_ids: Sequence[str]) -> pa.Table:
    stored, videos = spooled.memory[rows], spooled.rows[rows]
    vector = _column(stored)
    ids = pa.array([video_ids[video] for video in videos], pa.string())
    if kind == "sound":
        return pa.table({"video_id": ids, "form": vector})
    first_of = np.searchsorted(spooled.rows, videos)  # spooled rows rise with the video
    return pa.table({"video_id": ids, "view": pa.array((rows - first_of).astype(np.int16)), "vector": vector})


def _column(stored: np.ndarray) -> pa.Array:
    """Bytes as bytes, since Parquet would take four for each number; floats as fixed-size lists."""
    rows, size = stored.shape
    if stored.dtype == np.uint8:
        return pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), rows, [None, pa.py_buffer(stored.tobytes())])
    item = pa.field("item", pa.from_numpy_dtype(stored.dtype), nullable=False)
    return pa.FixedSizeListArray.from_arrays(pa.array(stored.reshape(-1)), type=pa.list_(item, size))


def _write_part(path: Path, groups: Iterator[pa.Table], in_group: int) -> None:
    first = next(groups)
    with pq.ParquetWriter(
        path, first.schema, compression="zstd", compression_level=9, version="2.6", use_dictionary=False,
        write_statistics=False,
    ) as writer:  # fmt: skip
        writer.write_table(first, row_group_size=in_group)
        for group in groups:
            writer.write_table(group, row_group_size=in_group)


def _write_labels(path: Path, spooled: _Spool, order: np.ndarray) -> None:
    columns = {
        "video_id": pa.array([spooled.video_ids[row] for row in order], pa.string()),
        "split": pa.array([spooled.splits[row] for row in order], pa.string()),
        "labels": pa.array([list(spooled.labels[row]) for row in order], pa.list_(pa.string())),
    }
    pq.write_table(pa.table(columns), path, compression="zstd", version="2.6", write_statistics=False)


def _views_of_splits(spooled: _Spool) -> dict[Split, int]:
    """The views of each split's videos; 1 of a split that has no video."""
    return {split: spooled.views.get(split, 1) for split in SPLITS}


def _manifest(spooled: _Spool, parts: dict[str, Part], origin: Origin) -> Manifest:
    sound = None
    if spooled.sound is not None:
        sound = Sound(
            model=origin.sound_model,
            revision=origin.revision,
            preprocessing=origin.sound_preprocessing,
            size=spooled.sound.memory.shape[1],
            quantization=origin.sound_quantization if spooled.sound.memory.dtype == np.uint8 else None,
            whitened=origin.whitened,
            silence=silence(spooled.sound.memory),
        )
    quantization = origin.quantization if spooled.visual.memory.dtype == np.uint8 else None
    visual = Visual(
        model=origin.model,
        revision=origin.revision,
        preprocessing=origin.preprocessing,
        size=spooled.visual.memory.shape[1],
        quantization=quantization,
        views=same.pop() if len(same := set(spooled.views.values())) == 1 else _views_of_splits(spooled),
        standard=_standard(spooled, quantization) if origin.standardize else None,
        constant=origin.constant,
        of_sound=origin.of_sound,
    )
    return Manifest(
        layout=LAYOUT,
        title=origin.title,
        origin=origin.origin,
        licence=origin.licence,
        visual=visual,
        sound=sound,
        files=parts,
    )


def _standard(spooled: _Spool, quantization: Quantization | None) -> Standard:
    """Mean and factor of each feature over the training videos' vectors, summed in float64, block by block."""
    training = np.array([split == "train" for split in spooled.splits])[spooled.visual.rows]
    if not training.any():
        raise PlainError("there is no training video to compute the features' means and deviations from")
    size = spooled.visual.memory.shape[1]
    total, squares = np.zeros(size), np.zeros(size)
    for start in range(0, len(training), BLOCK):
        own = slice(start, start + BLOCK)
        exact = dequantized(spooled.visual.memory[own][training[own]], quantization).astype(np.float64)
        total += exact.sum(axis=0)
        squares += np.square(exact).sum(axis=0)
    mean = total / training.sum()
    deviation = np.sqrt(np.maximum(squares / training.sum() - np.square(mean), 0.0))
    varies = deviation > 1e-6 * np.abs(mean).max(initial=1.0)
    factor = np.divide(standard_deviation(size), deviation, out=np.zeros(size), where=varies)
    return Standard(mean=tuple(mean.round(6).tolist()), factor=tuple(float(f"{one:.6g}") for one in factor))


def silence(stored: np.ndarray) -> tuple[float, ...] | None:
    """The form of digital silence, which many videos share to the last bit; None where there is none.

    Args:
        stored: R x P.
    """
    key = np.zeros(len(stored), np.uint64)
    for start in range(0, len(stored), BLOCK):
        block = np.ascontiguousarray(stored[start : start + BLOCK]).view(np.uint8)
        factors = np.random.default_rng(0).integers(0, 2**63, block.shape[1], dtype=np.uint64) * 2 + 1
        key[start : start + len(block)] = (block * factors).sum(axis=1, dtype=np.uint64)  # modulo 2**64
    _, first, count = np.unique(key, return_index=True, return_counts=True)
    best = int(count.argmax())
    if count[best] < max(SILENCE_VIDEOS, SILENCE_RATE * len(stored)):
        return None
    return tuple(float(number) for number in stored[first[best]])
