"""The reader and the writer of all tables that stages exchange, as Parquet. Their columns: schemas.py.

Same rows, same bytes: rows sorted by key, a fixed row-group size, no pandas metadata, no dictionary arrays,
canonical NaN, no timestamps (DESIGN.md, invariant 3).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import atomic_write
from pipeline.foundations.tables.schemas import FORM_SIZE, PATCH_SIZE, PATCHES, ROW_GROUP, SCHEMAS, Schema

__all__ = [
    "FORM_SIZE",
    "PATCHES",
    "PATCH_SIZE",
    "ROW_GROUP",
    "SCHEMAS",
    "Schema",
    "as_found",
    "empty",
    "from_columns",
    "from_rows",
    "length",
    "lists",
    "multi_hot",
    "read",
    "read_stream",
    "rows_read",
    "rows_written",
    "vectors",
    "verify",
    "width",
    "write",
    "write_stream",
]  # fmt: skip
rows_read: dict[str, int] = {}
"""Rows of each table that this process has read, by path; for the record of the run only."""
rows_written: dict[str, int] = {}


def empty(name: str) -> pa.Table:
    """A table of schema `name` without rows."""
    return SCHEMAS[name].columns.empty_table()


def from_columns(name: str, columns: Mapping[str, object]) -> pa.Table:
    """A table of schema `name` from Python lists or NumPy arrays; a 2-D array becomes a vector column.

    A column of forms is as wide as the array, or the Arrow column, that it comes from.

    Raises:
        PlainError: a column is missing, unknown, of another type, or has a null where the schema has none.
    """
    schema = SCHEMAS[name].columns
    try:
        if set(columns) != set(schema.names):
            raise pa.ArrowInvalid(f"columns {sorted(columns)}, expected {sorted(schema.names)}")
        schema = pa.schema([_as_wide_as(field, _width_of(columns[field.name])) for field in schema])
        table = pa.Table.from_arrays([_array(columns[field.name], field) for field in schema], schema=schema)
        for field in schema:
            _check_nulls(table[field.name], field)
        return table
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise PlainError(f"table {name}: {error}") from error


def from_rows(name: str, rows: Sequence[Sequence[object]]) -> pa.Table:
    """A table of schema `name` from rows, in the order of its columns.

    Raises:
        PlainError: as `from_columns`.
    """
    names = SCHEMAS[name].columns.names
    return from_columns(name, {column: [row[place] for row in rows] for place, column in enumerate(names)})


def as_found(name: str, found: pa.Schema) -> pa.Schema:
    """The columns of schema `name`, with forms as wide as those of `found`: any width is one of the same table."""
    widths = {field.name: field.type.list_size for field in found if pa.types.is_fixed_size_list(field.type)}
    return pa.schema([_as_wide_as(field, widths.get(field.name)) for field in SCHEMAS[name].columns])


def width(name: str, path: Path, column: str) -> int:
    """The width of the forms in a column of a table, from the file's footer.

    Raises:
        PlainError: as `read`.
    """
    with _opened(name, path) as file:
        return int(file.schema_arrow.field(column).type.list_size)


def _as_wide_as(field: pa.Field, width: int | None) -> pa.Field:
    """A field of forms with another width; other fields, and any field if `width` is None, unchanged."""
    if width is None or not pa.types.is_fixed_size_list(field.type):
        return field
    return field.with_type(pa.list_(field.type.value_field, width))


def _width_of(values: object) -> int | None:
    if isinstance(values, np.ndarray) and values.ndim == 2:
        return int(values.shape[1])
    if isinstance(values, pa.Array | pa.ChunkedArray) and pa.types.is_fixed_size_list(values.type):
        return int(values.type.list_size)
    return None


def _check_nulls(column: pa.ChunkedArray, field: pa.Field) -> None:
    """Refuse nulls where the schema has none: Arrow accepts them and writes files that cannot be read."""
    nulls = 0 if field.nullable else column.null_count
    if pa.types.is_list(field.type) or pa.types.is_fixed_size_list(field.type):
        nulls += pc.list_flatten(column).null_count
    if nulls:
        raise pa.ArrowInvalid(f"{field.name}: found {nulls:,} nulls, expected none")


def _array(values: object, field: pa.Field) -> pa.Array:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values.cast(field.type)
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
    _check_columns(name, table, as_found(name, table.schema))
    order = [(column, "ascending") for column in schema.key]
    write_stream(name, path, [table.sort_by(order)])


def write_stream(name: str, path: Path, tables: Iterable[pa.Table]) -> int:
    """Write tables that are sorted by key, one after the other, as one file; returns the number of rows.

    Memory stays constant: row groups are cut to one size, whatever the sizes of the tables.

    Raises:
        PlainError: a table is not of schema `name`, or the keys do not rise from row to row.
    """
    schema = SCHEMAS[name]
    pieces = iter(tables)
    first = next(pieces, None)
    columns = schema.columns if first is None else as_found(name, first.schema)
    rows = 0
    with atomic_write(path) as draft, pq.ParquetWriter(draft, columns, **_format()) as writer:
        for group in _row_groups(name, schema, columns, [] if first is None else chain([first], pieces)):
            canonical = [_canonical(column.combine_chunks()) for column in group.columns]
            writer.write_table(pa.table(canonical, schema=columns), row_group_size=schema.row_group)
            rows += group.num_rows
    rows_written[str(path)] = rows
    return rows


def _format() -> dict[str, object]:
    """Writer options; floats are written plain, since dictionaries do not help them."""
    return {"compression": "zstd", "version": "2.6", "use_dictionary": False, "write_statistics": True,
            "store_schema": True}  # fmt: skip


def _row_groups(name: str, schema: Schema, columns: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Cut a stream of tables into groups of the schema's size, checking their columns and that keys rise."""
    held: list[pa.Table] = []
    count = 0
    last: tuple[object, ...] | None = None
    for table in tables:
        _check_columns(name, table, columns)
        last = _rising(name, schema, table, last)
        held.append(table)
        count += table.num_rows
        if count >= schema.row_group:
            joined = pa.concat_tables(held)
            whole = count - count % schema.row_group
            yield joined.slice(0, whole).combine_chunks()
            held, count = [joined.slice(whole)], count - whole
    if count:
        yield pa.concat_tables(held).combine_chunks()


def _check_columns(name: str, table: pa.Table, expected: pa.Schema) -> None:
    if not table.schema.equals(expected):
        raise PlainError(f"table {name}: found columns\n{table.schema}\nexpected\n{expected}")


def _canonical(column: pa.Array) -> pa.Array:
    """The column with every NaN made the same, since a NaN's sign and payload are bytes too."""
    kind = column.type
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_nan(column), pa.scalar(np.nan, kind), column)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(_canonical(column.flatten()), type=kind)
    if pa.types.is_list(kind):
        offsets = column.offsets.to_numpy()
        return pa.ListArray.from_arrays(offsets - offsets[0], _canonical(column.flatten()), type=kind)
    return column


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


def read_stream(name: str, path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Read a table, or some of its columns, a row group at a time; an empty table comes as one of no rows.

    Raises:
        PlainError: as `read`.
    """
    with _opened(name, path) as file:
        rows_read[str(path)] = file.metadata.num_rows
        nothing = file.schema_arrow.empty_table()
        yield nothing.select(columns) if columns else nothing
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns)


@contextmanager
def _opened(name: str, path: Path) -> Iterator[pq.ParquetFile]:
    """The file of a table; no row has been read yet."""
    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(as_found(name, file.schema_arrow)):
                raise PlainError(f"{path}: not a table of {name}: found {file.schema_arrow.names}")
            yield file
    except (OSError, pa.ArrowInvalid) as error:
        raise PlainError(f"{path}: cannot be read as a table of {name}: {error}") from error


def lists(rows: Sequence[np.ndarray], dtype: type[np.generic]) -> pa.ListArray:
    """A column of lists from flat arrays, without a Python number each."""
    item = pa.field("item", pa.from_numpy_dtype(dtype), nullable=False)
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    flat = np.concatenate([np.empty(0, dtype), *rows])
    return pa.ListArray.from_arrays(offsets, pa.array(flat, item.type), type=pa.list_(item))


def length(name: str, path: Path) -> int:
    """The number of rows of a table, from the file's footer.

    Raises:
        PlainError: as `read`.
    """
    with _opened(name, path) as file:
        return int(file.metadata.num_rows)


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
