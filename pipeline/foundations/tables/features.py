"""Read a folder of imported features, a row group at a time (layout: manifest.py).

The files come from outside and are checked as they are read: columns, widths, sizes, keys, finite numbers.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.foundations.params import Dataset
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables.manifest import Kind, Manifest, Quantization, Vectors, read_manifest

FLOATS = (pa.float16(), pa.float32())
"""Types of stored numbers beside bytes."""
COLUMNS: dict[Kind, tuple[str, ...]] = {"visual": ("video_id", "view", "vector"), "sound": ("video_id", "form")}
MOST_GROUP_BYTES = 512 * 2**20
"""Largest stored row group, since one is in memory at once."""


class Rows(NamedTuple):
    """Some rows of a folder's vectors, in the order of their keys."""

    video_ids: pa.StringArray
    views: np.ndarray
    """Of each row; zeros for sounds, which have one."""
    stored: np.ndarray
    """Rows x size, as the file has them."""
    values: np.ndarray
    """Rows x size, float32, dequantized; of X with the manifest's constant, rows x C."""


@dataclass(frozen=True)
class FeatureFolder:
    """A folder of imported features.

    Attributes:
        features: the folder of the vectors' files.
        manifest: what they are.
    """

    features: Path
    manifest: Manifest

    @classmethod
    def open(cls, annotations: Path, features: Path) -> "FeatureFolder":
        """Read the manifest, but no vectors yet.

        Raises:
            PlainError: the manifest cannot be read.
        """
        return cls(features, read_manifest(annotations))

    def verify(self) -> None:
        """Compare every file with the manifest.

        Raises:
            PlainError: one is absent, or has other bytes.
        """
        for name, part in self.manifest.files.items():
            path = self.features / name
            try:
                same = path.stat().st_size == part.bytes and files.sha256(path) == part.sha256
            except OSError as error:
                raise PlainError(f"{path}: cannot be read: {error.strerror}; the manifest lists it") from error
            if not same:
                raise PlainError(f"{path}: not the file that the manifest describes (size or SHA-256); import it again")

    def about(self, kind: Kind) -> Vectors | None:
        """The manifest's entry on vectors of a kind; None where there are none."""
        return self.manifest.visual if kind == "visual" else self.manifest.sound

    def read(self, kind: Kind) -> Iterator[Rows]:
        """All rows of a kind, a row group at a time; nothing where the folder has no sounds.

        Raises:
            PlainError: a file is not what the manifest says, or keys do not rise.
        """
        last: tuple[str, int] = ("", -1)
        for name, group in self._groups(kind, COLUMNS[kind]):
            rows = self._rows(self.features / name, kind, group)
            last = _rising(self.features / name, rows, last)
            yield rows

    def views_of(self, video_ids: pa.StringArray, split: str) -> Iterator[np.ndarray]:
        """X of some videos of a split, whose ids rise: B x V x C at a time, in their order, a row group in memory.

        Raises:
            PlainError: a file is not what the manifest says, or not every view of every video is there.
        """
        views, C = self.manifest.visual.views_of(split), self.manifest.features
        begun, held = 0, np.zeros((0, C), np.float32)
        for rows in self.read("visual"):
            found, _ = rows_among(video_ids, rows)
            held = np.concatenate([held, rows.values[found]])
            if whole := len(held) // views:
                yield held[: whole * views].reshape(whole, views, C)
                begun, held = begun + whole, held[whole * views :]
        if begun != len(video_ids) or len(held):
            raise PlainError(
                f"{self.features}: found the vectors of {begun:,} of {len(video_ids):,} videos; run `dvc repro index`"
            )

    def video_ids(self, kind: Kind) -> Iterator[tuple[str, pa.StringArray]]:
        """The ids in each row group of a kind, one a row, and the file that they stand in."""
        for name, group in self._groups(kind, ("video_id",)):
            yield name, group["video_id"].combine_chunks()

    def _groups(self, kind: Kind, columns: tuple[str, ...]) -> Iterator[tuple[str, pa.Table]]:
        about = self.about(kind)
        for name in self.manifest.parts(kind) if about else []:
            path = self.features / name
            try:
                with pq.ParquetFile(path) as file:
                    _check(path, file, kind, about)
                    if file.metadata.num_rows != self.manifest.files[name].rows:
                        raise PlainError(f"{path}: found {file.metadata.num_rows:,} rows, not the manifest's")
                    for number in range(file.num_row_groups):
                        yield name, file.read_row_group(number, list(columns))
            except (OSError, pa.ArrowException) as error:
                raise PlainError(f"{path}: cannot be read as features: {error}") from error

    def _rows(self, path: Path, kind: Kind, group: pa.Table) -> Rows:
        about = self.about(kind)
        column = group["vector" if kind == "visual" else "form"].combine_chunks()
        if any(group[name].null_count for name in group.column_names):
            raise PlainError(f"{path}: found nulls, expected none")
        stored = _stored(path, column)
        values = dequantized(stored, about.quantization if about else None)
        if not np.isfinite(values).all():
            raise PlainError(f"{path}: found a value that is not a finite number")
        if kind == "visual" and (standard := self.manifest.visual.standard) is not None:
            values = ((values - np.array(standard.mean)) * np.array(standard.factor)).astype(np.float32)
        if kind == "visual" and self.manifest.visual.constant is not None:
            values = np.pad(values, ((0, 0), (0, 1)), constant_values=self.manifest.visual.constant)
        views = group["view"].to_numpy() if kind == "visual" else np.zeros(len(column), np.int16)
        return Rows(group["video_id"].combine_chunks(), views, stored, values)


def features_of(dataset: Dataset) -> FeatureFolder:
    """The folder that the parameters name.

    Raises:
        PlainError: its manifest cannot be read.
    """
    return FeatureFolder.open(Path(dataset.folder, dataset.annotations), Path(dataset.folder, dataset.videos))


def dequantized(stored: np.ndarray, quantization: Quantization | None) -> np.ndarray:
    """Dequantized numbers, float32; computed in float64 and rounded once."""
    if quantization is None:
        return stored.astype(np.float32)
    table = np.arange(256, dtype=np.float64) * quantization.scale + quantization.offset
    return np.asarray(table.astype(np.float32)[stored])


def rows_among(video_ids: pa.StringArray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Which of `rows` are of some videos: their places in `rows`, and the videos' in `video_ids`, which rise."""
    if not len(rows.video_ids) or not len(video_ids):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    low = bisect_left(video_ids, rows.video_ids[0].as_py(), key=pa.StringScalar.as_py)
    high = bisect_right(video_ids, rows.video_ids[-1].as_py(), key=pa.StringScalar.as_py)
    place = pc.index_in(rows.video_ids, value_set=video_ids.slice(low, high - low))
    found = np.flatnonzero(pc.is_valid(place).to_numpy(zero_copy_only=False))
    return found, place.drop_null().to_numpy().astype(np.int64) + low


def _check(path: Path, file: pq.ParquetFile, kind: Kind, about: Vectors | None) -> None:
    """Columns, width, type, and that no row group is too large to be in memory.

    Raises:
        PlainError: one is not as the layout has it.
    """
    schema = file.schema_arrow
    if tuple(schema.names) != COLUMNS[kind]:
        raise PlainError(f"{path}: found the columns {schema.names}, expected {list(COLUMNS[kind])}")
    vector = schema.types[-1]
    quantized = pa.types.is_fixed_size_binary(vector)
    if not quantized and not (pa.types.is_fixed_size_list(vector) and vector.value_type in FLOATS):
        raise PlainError(
            f"{path}: found vectors of {vector}, expected bytes of one length or lists of floats of one size"
        )
    size = vector.byte_width if quantized else vector.list_size
    if about is None or size != about.size or quantized != (about.quantization is not None):
        raise PlainError(f"{path}: found vectors of {vector}, not the size or type that the manifest says")
    if schema.field("video_id").type != pa.string() or (kind == "visual" and schema.field("view").type != pa.int16()):
        raise PlainError(f"{path}: expected video_id as string and view as int16, found {schema.types[:-1]}")
    width = size if quantized else size * vector.value_type.bit_width // 8
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        if max(group.num_rows * width, group.total_byte_size) > MOST_GROUP_BYTES:
            raise PlainError(
                f"{path}: row group {number} holds {group.num_rows:,} rows, more than fit in memory; "
                f"write groups of {MOST_GROUP_BYTES // width // 4:,} rows or fewer"
            )


def _stored(path: Path, column: pa.Array) -> np.ndarray:
    """A column's numbers as they are stored, rows x size."""
    if pa.types.is_fixed_size_binary(column.type):
        size = column.type.byte_width
        numbers = np.frombuffer(column.buffers()[1], np.uint8, len(column) * size, column.offset * size)
        return numbers.reshape(len(column), size)
    if column.flatten().null_count:
        raise PlainError(f"{path}: found nulls among the numbers, expected none")
    return np.asarray(column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), column.type.list_size))


def _rising(path: Path, rows: Rows, last: tuple[str, int]) -> tuple[str, int]:
    """Check that keys rise strictly from `last` on; returns the new last key."""
    ids, views = rows.video_ids, rows.views
    if not len(ids):
        return last
    before, after = ids.slice(0, len(ids) - 1), ids.slice(1)
    same = pc.equal(before, after).to_numpy(zero_copy_only=False)
    above = pc.greater(after, before).to_numpy(zero_copy_only=False) | (same & (views[1:] > views[:-1]))
    if not above.all() or (ids[0].as_py(), int(views[0])) <= last:
        raise PlainError(f"{path}: video_id and view must be unique and sorted, and are not")
    return ids[-1].as_py(), int(views[-1])
