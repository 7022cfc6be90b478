"""`m3a audit --against`: compare two runs from different CPUs, floats within a tolerance, all else exactly.

On one machine the same run gives the same bytes (DESIGN.md, invariant 3), and hashes tell; across machines, kernels
are chosen by the CPU. Two numbers a and b agree where |a - b| <= tolerance * max(1, |a|, |b|), or where both are
NaN or the same infinity.
"""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from safetensors import SafetensorError, safe_open

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.lineage.audit import Check
from pipeline.lineage.consistency import TABLES

MODEL = "models/m3a/model.safetensors"


class _Distance(NamedTuple):
    """The difference between two sets of floats."""

    outside: int
    """Numbers that do not agree."""
    largest: float
    """|a - b| / max(1, |a|, |b|), at worst."""

    def with_(self, other: "_Distance") -> "_Distance":
        return _Distance(self.outside + other.outside, max(self.largest, other.largest))


_NONE = _Distance(0, 0.0)


class _Differs(Exception):  # noqa: N818
    """Something differs that must be equal."""


def compare(root: Path, other: Path, tolerance: float) -> Iterator[Check]:
    """A check for each table that either run has, and one for the model.

    Raises:
        PlainError: `other` is no folder, or neither run has anything to compare.
    """
    if not other.is_dir():
        raise PlainError(f"{other}: no such folder; expected the root of another project with its data and models")
    paths = [path for path in (*TABLES, MODEL) if (root / path).exists() or (other / path).exists()]
    if not paths:
        raise PlainError(f"{root.resolve()} and {other}: found no table and no model in either; run `dvc repro` first")
    for path in paths:
        yield _check(root / path, other / path, path, tolerance)


def _check(here: Path, there: Path, path: str, tolerance: float) -> Check:
    group = "model" if path == MODEL else "table"
    what = f"{path} within {tolerance:g}"
    absent = [side for side, file in (("here", here), ("there", there)) if not file.exists()]
    if absent:
        return Check(group, what, green=False, finding=f"absent {absent[0]}")
    try:
        distances = _model(here, there, tolerance) if path == MODEL else _table(TABLES[path], here, there, tolerance)
    except (_Differs, PlainError) as error:
        return Check(group, what, green=False, finding=str(error))
    name, worst = max(distances.items(), key=lambda entry: entry[1].largest, default=("", _NONE))
    far = {name: distance.outside for name, distance in distances.items() if distance.outside}
    parts = [f"{name}: {count:,} numbers lie further apart" for name, count in far.items()]
    parts += [f"at most {worst.largest:.2g} apart, in {name}"] if distances else ["exact"]
    return Check(group, what, green=not far, finding="; ".join(parts[:5]))


def _table(name: str, here: Path, there: Path, tolerance: float) -> dict[str, _Distance]:
    """The distances of the float columns, by name; row group by row group, which are of one size everywhere."""
    schema = tables.SCHEMAS[name]
    floats = {field.name: _NONE for field in schema.columns if pa.types.is_floating(_number(field.type))}
    for ours, theirs in zip_longest(tables.read_stream(name, here), tables.read_stream(name, there)):
        if ours is None or theirs is None or ours.num_rows != theirs.num_rows:
            raise _Differs(f"another number of rows: {_rows(name, here):,} here, {_rows(name, there):,} there")
        for column in schema.columns.names:
            if column in floats:
                distance = _distance_of(_flat(ours[column]), _flat(theirs[column]), column, tolerance)
                floats[column] = floats[column].with_(distance)
            elif not ours[column].equals(theirs[column]):
                raise _Differs(f"{column} differs, first in the row {_first_other(schema.key, column, ours, theirs)}")
    return floats


def _rows(name: str, path: Path) -> int:
    return sum(group.num_rows for group in tables.read_stream(name, path))


def _number(kind: pa.DataType) -> pa.DataType:
    """The type of a column's numbers, in lists or not."""
    return kind.value_type if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) else kind


def _flat(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """A float column's numbers, one after the other, and how long each row's list is (nothing where it is none)."""
    if pa.types.is_floating(column.type):
        return column.to_numpy(), np.empty(0, np.int64)
    return pc.list_flatten(column).to_numpy(), pc.list_value_length(column).to_numpy()


def _first_other(key: tuple[str, ...], column: str, ours: pa.Table, theirs: pa.Table) -> str:
    pairs = zip(ours[column].to_pylist(), theirs[column].to_pylist(), strict=True)
    row = next(row for row, (a, b) in enumerate(pairs) if a != b)
    return ", ".join(str(ours[name][row]) for name in key)


def _distance_of(
    ours: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray], name: str, tolerance: float
) -> _Distance:
    if not np.array_equal(ours[1], theirs[1]):
        raise _Differs(f"{name}: lists of other lengths")
    return distance(ours[0], theirs[0], tolerance)


def distance(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> _Distance:
    """How far two arrays of one shape lie apart."""
    a, b = ours.astype(np.float64).reshape(-1), theirs.astype(np.float64).reshape(-1)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        apart = np.where(same, 0.0, np.abs(a - b) / np.maximum(1.0, np.maximum(np.abs(a), np.abs(b))))
    apart = np.where(np.isnan(apart), np.inf, apart)  # NaN against a number, or different infinities: never within
    return _Distance(int((apart > tolerance).sum()), float(apart.max(initial=0.0)))


def _model(here: Path, there: Path, tolerance: float) -> dict[str, _Distance]:
    """The distances of the tensors of floats, by name."""
    try:
        with safe_open(here, framework="numpy") as ours, safe_open(there, framework="numpy") as theirs:
            if set(ours.keys()) != set(theirs.keys()):
                raise _Differs(f"other tensors: {', '.join(sorted(set(ours.keys()) ^ set(theirs.keys()))[:5])}")
            return {
                name: _tensor(name, ours.get_tensor(name), theirs.get_tensor(name), tolerance)
                for name in sorted(ours.keys())
            }
    except (OSError, SafetensorError) as error:
        raise PlainError(f"cannot be read: {error}") from error


def _tensor(name: str, ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> _Distance:
    if (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
        raise _Differs(f"{name}: {ours.dtype} {ours.shape} here, {theirs.dtype} {theirs.shape} there")
    if ours.dtype.kind == "f":
        return distance(ours, theirs, tolerance)
    if not np.array_equal(ours, theirs):
        raise _Differs(f"{name}: whole numbers differ")
    return _NONE
