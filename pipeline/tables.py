"""The tables that stages exchange: their columns, and the one reader and the one writer of Parquet.

Same rows, same bytes: rows sorted by key, a fixed row-group size, no pandas metadata, no dictionary arrays,
canonical NaN, no timestamps (DESIGN.md, invariant 3).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import PlainError
from pipeline.files import placed

ROW_GROUP = 8192
PATCHES, PATCH_SIZE = 3, 128
FORM_SIZE = PATCHES * PATCH_SIZE
"""P: an audio form is three whitened VGGish patches of 128 (Section 4.1)."""

rows_read: dict[str, int] = {}
"""Rows of each table that this process has opened, by path: for the record of the run, never for its result."""
rows_written: dict[str, int] = {}


def _column(name: str, kind: pa.DataType, about: str, *, null: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=null, metadata={"about": about})


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("item", kind, nullable=False))


_VIDEO = _column("video_id", pa.string(), "the video's name in every table")
_ACTIONS = _column("actions", _list(pa.int16()), "its action ids, ascending")
_ACTION_ID = _column("action_id", pa.int16(), "row of the vocabulary, from 0")
_ACTION = _column("action", pa.string(), "the action's name in the vocabulary")
_WORDS = _column("words", _list(pa.string()), "the words of the action's name")
_REASON = _column("reason", pa.string(), "why, in plain words; empty where there is nothing to say")
_FORM = pa.list_(pa.field("item", pa.float32(), nullable=False), FORM_SIZE)
_VECTOR = _list(pa.float32())


@dataclass(frozen=True)
class Schema:
    """A table's columns and the columns that identify and sort its rows."""

    columns: pa.Schema
    key: tuple[str, ...]


def _schema(key: tuple[str, ...], *columns: pa.Field) -> Schema:
    return Schema(pa.schema(columns), key)


SCHEMAS: dict[str, Schema] = {
    "videos": _schema(
        ("video_id",),
        _VIDEO,
        _column("path", pa.string(), "below dataset.videos, with forward slashes"),
        _column("split", pa.string(), "train | val | test"),
        _ACTIONS,
        _column("bytes", pa.int64(), "size of the file"),
        _column("sha256", pa.string(), "of the file, hexadecimal; empty where the file is absent"),
    ),
    "actions": _schema(("action_id",), _ACTION_ID, _ACTION, _WORDS),
    "verdicts": _schema(
        ("video_id",),
        _VIDEO,
        _column("verdict", pa.string(), "audible | no_audio_stream | digital_silence | below_threshold | undecodable"),
        _REASON,
        _column("seconds", pa.float32(), "of decoded sound; s"),
        _column("peak_dbfs", pa.float32(), "largest sample; dB to full scale, -inf for digital silence"),
        _column("rms_dbfs", pa.float32(), "root mean square; dB to full scale, -inf for digital silence"),
    ),
    "embedded": _schema(  # a shard of extract_vggish: what becomes a row of `vggish`, or one of `exclusions`
        ("video_id",), _VIDEO, _REASON, _column("embedding", _FORM, "as in vggish; NaN where there is a reason")
    ),
    "vggish": _schema(("video_id",), _VIDEO, _column("embedding", _FORM, "3 patches x 128, raw, before PCA")),
    "whitened": _schema(("video_id",), _VIDEO, _column("form", _FORM, "3 patches x 128, whitened")),
    "whitening": _schema(
        ("component",),
        _column("component", pa.int16(), "from 0, by falling variance"),
        _column("mean", pa.float64(), "of this input dimension"),
        _column("variance", pa.float64(), "explained by this component; NaN for the released parameters"),
        _column("vector", _list(pa.float64()), "row of the projection, scaled so that its output is white"),
    ),
    "audio": _schema(
        ("action_id", "video_id"), _ACTION_ID, _VIDEO, _column("form", _FORM, "the video's whitened embedding")
    ),
    "text": _schema(
        ("action_id",),
        _ACTION_ID,
        _ACTION,
        _column("form", _VECTOR, "mean of its words' vectors, Q wide"),
        _WORDS,
        _column("missing", _list(pa.string()), "words without a vector"),
    ),
    "adjacency": _schema(
        ("source", "target"),
        _column("source", pa.int16(), "action i"),
        _column("target", pa.int16(), "action j"),
        _column("source_count", pa.int64(), "training videos with i"),
        _column("pair_count", pa.int64(), "training videos with i and j"),
        _column("psi", pa.float64(), "P(j | i); NaN where i never occurs"),
        _column("edge", pa.bool_(), "A_ij, before self-connections"),
    ),
    "splits": _schema(
        ("video_id",),
        _VIDEO,
        _ACTIONS,
        _column("drawn_for", pa.int16(), "the action whose draw brought it in; null where not drawn", null=True),
    ),
    "clips": _schema(
        ("video_id",),
        _VIDEO,
        _column("pack", pa.int32(), "number of the pack file"),
        _column("width", pa.int16(), "of a stored frame; pixels"),
        _column("height", pa.int16(), "of a stored frame; pixels"),
        _column("offsets", _list(pa.int64()), "where each frame's JPEG starts in the pack, and where the last ends"),
    ),
    "predictions": _schema(
        ("video_id",), _VIDEO, _ACTIONS, _column("scores", _VECTOR, "N scores in [0, 1], after combining views")
    ),
    "scored": _schema(
        ("video_id",), _VIDEO, _ACTIONS, _column("scores", _VECTOR, "as in predictions; empty where excluded"), _REASON
    ),
    "metrics": _schema(
        ("row", "metric"),
        _column("row", pa.string(), "model | frequency | chance | lead (of the model over frequency)"),
        _column("metric", pa.string(), "map_sample | map_action | map_micro | top1 | top5"),
        _column("value", pa.float64(), "percent; percentage points for a lead"),
        _column("low", pa.float64(), "of the 95% interval; NaN for an expectation in closed form"),
        _column("high", pa.float64(), "of the 95% interval; NaN for an expectation in closed form"),
    ),
    "per_action": _schema(
        ("action_id",),
        _ACTION_ID,
        _ACTION,
        _column("training", pa.int64(), "training videos with it"),
        _column("positives", pa.int64(), "scored videos with it"),
        _column("ap", pa.float64(), "average precision; percent, NaN without a positive"),
        _column("low", pa.float64(), "of its 95% interval; NaN without a positive"),
        _column("high", pa.float64(), "of its 95% interval; NaN without a positive"),
        _column("chance", pa.float64(), "expected of a random ranking; percent, NaN without a positive"),
    ),
    "exclusions": _schema(("video_id",), _VIDEO, _REASON),
}


def empty(name: str) -> pa.Table:
    """A table of schema `name` without rows."""
    return SCHEMAS[name].columns.empty_table()


def from_columns(name: str, columns: Mapping[str, object]) -> pa.Table:
    """A table of schema `name` from Python lists or NumPy arrays; a 2-D array becomes a vector column.

    Raises:
        PlainError: a column is missing, unknown or of another type.
    """
    schema = SCHEMAS[name].columns
    try:
        if set(columns) != set(schema.names):
            raise pa.ArrowInvalid(f"columns {sorted(columns)}, expected {sorted(schema.names)}")
        return pa.Table.from_arrays([_array(columns[field.name], field) for field in schema], schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise PlainError(f"table {name}: {error}") from error


def _array(values: object, field: pa.Field) -> pa.Array:
    """One column; NaN made canonical, since a NaN's sign and payload are bytes too."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values.cast(field.type)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.nan, values)
    if isinstance(values, np.ndarray) and values.ndim == 2:
        flat = pa.array(values.reshape(-1), field.type.value_type)
        if pa.types.is_fixed_size_list(field.type):
            return pa.FixedSizeListArray.from_arrays(flat, type=field.type)
        offsets = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
        return pa.ListArray.from_arrays(offsets, flat, type=field.type)
    return pa.array(values, field.type)


def write(name: str, path: Path, table: pa.Table) -> None:
    """Sort `table` by its key and write it at `path`, atomically.

    Raises:
        PlainError: the table is not of schema `name`, or a key appears twice.
    """
    schema = SCHEMAS[name]
    order = [(column, "ascending") for column in schema.key]
    write_stream(name, path, [table.sort_by(order)])


def write_stream(name: str, path: Path, tables: Iterable[pa.Table]) -> int:
    """Write tables that are sorted by key, one after the other, as one file; returns the number of rows.

    Memory stays flat: row groups are cut to one size whatever the sizes of the tables that come in.

    Raises:
        PlainError: a table is not of schema `name`, or the keys do not rise from row to row.
    """
    schema = SCHEMAS[name]
    rows = 0
    with placed(path) as draft, pq.ParquetWriter(draft, schema.columns, **_format()) as writer:
        for group in _row_groups(name, schema, tables):
            writer.write_table(group, row_group_size=ROW_GROUP)
            rows += group.num_rows
    rows_written[str(path)] = rows
    return rows


def _format() -> dict[str, object]:
    """Writer options; floats are written plain, since dictionaries do not help them."""
    return {"compression": "zstd", "version": "2.6", "use_dictionary": False, "write_statistics": True,
            "store_schema": True}  # fmt: skip


def _row_groups(name: str, schema: Schema, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Cut a stream of tables into groups of ROW_GROUP rows, checking the schema and that keys rise."""
    held: list[pa.Table] = []
    count = 0
    last: tuple[object, ...] | None = None
    for table in tables:
        if not table.schema.equals(schema.columns):
            raise PlainError(f"table {name}: found columns\n{table.schema}\nexpected\n{schema.columns}")
        last = _rising(name, schema, table, last)
        held.append(table)
        count += table.num_rows
        if count >= ROW_GROUP:
            joined = pa.concat_tables(held)
            whole = count - count % ROW_GROUP
            yield joined.slice(0, whole).combine_chunks()
            held, count = [joined.slice(whole)], count - whole
    if count:
        yield pa.concat_tables(held).combine_chunks()


def _rising(name: str, schema: Schema, table: pa.Table, last: tuple[object, ...] | None) -> tuple[object, ...] | None:
    """Check that keys rise strictly through `table`, starting above `last`; returns the new last key."""
    if not table.num_rows:
        return last
    columns = [table[column].combine_chunks() for column in schema.key]
    above: pa.Array | None = None
    for column in reversed(columns):  # lexicographic: greater here, or equal here and greater further on
        before, after = column.slice(0, len(column) - 1), column.slice(1)
        greater = pc.greater(after, before)
        above = greater if above is None else pc.or_(greater, pc.and_(pc.equal(after, before), above))
    first = tuple(column[0].as_py() for column in columns)
    rising = (last is None or first > last) and (len(above) == 0 or pc.all(above).as_py())  # type: ignore[operator, arg-type]
    if not rising:
        raise PlainError(f"table {name}: {' and '.join(schema.key)} must be unique and sorted, and are not")
    return tuple(column[-1].as_py() for column in columns)


def read(name: str, path: Path) -> pa.Table:
    """Read a table and check its columns.

    Raises:
        PlainError: the file is absent, not Parquet, or of other columns.
    """
    return pa.concat_tables(read_stream(name, path)).combine_chunks()


def read_stream(name: str, path: Path) -> Iterator[pa.Table]:
    """Read a table a row group at a time; an empty table comes as one of no rows.

    Raises:
        PlainError: as `read`.
    """
    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(SCHEMAS[name].columns):
                raise PlainError(f"{path}: not a table of {name}: found {file.schema_arrow.names}")
            rows_read[str(path)] = file.metadata.num_rows
            yield file.schema_arrow.empty_table()
            for group in range(file.num_row_groups):
                yield file.read_row_group(group)
    except (OSError, pa.ArrowInvalid) as error:
        raise PlainError(f"{path}: cannot be read as a table of {name}: {error}") from error


def verify(name: str, path: Path) -> None:
    """Read a whole table and check its columns and that its keys are unique and sorted.

    Raises:
        PlainError: as `read`, or the keys do not rise from row to row.
    """
    last: tuple[object, ...] | None = None
    for group in read_stream(name, path):
        last = _rising(name, SCHEMAS[name], group, last)


def vectors(column: pa.ChunkedArray) -> np.ndarray:
    """A vector column as a matrix, rows x size.

    Raises:
        PlainError: the rows are not all of one size.
    """
    rows = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    values: np.ndarray = rows.flatten().to_numpy(zero_copy_only=False)
    if len(rows) == 0:
        return values.reshape(0, rows.type.list_size if pa.types.is_fixed_size_list(rows.type) else 0)
    if len(values) % len(rows) or (
        not pa.types.is_fixed_size_list(rows.type) and pc.count_distinct(pc.list_value_length(rows)).as_py() != 1
    ):
        raise PlainError("a vector column has rows of different sizes")
    return values.reshape(len(rows), -1)


def multi_hot(actions: pa.ChunkedArray, n: int) -> np.ndarray:
    """Lists of action ids as a B x N matrix of booleans."""
    rows = actions.combine_chunks() if isinstance(actions, pa.ChunkedArray) else actions
    targets = np.zeros((len(rows), n), dtype=bool)
    targets[pc.list_parent_indices(rows).to_numpy(), rows.flatten().to_numpy()] = True
    return targets
