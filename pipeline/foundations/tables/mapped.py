"""Vectors of many videos as one array that is mapped from a file: the system pages them in and out.

A column of a Parquet file is compressed and cannot be mapped, so it is copied to a file of the cache folder that has no
name and is gone with the last array that shows it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pyarrow as pa

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import cache_folder
from pipeline.foundations.tables import tables

FOLDER = "mapped"
"""In the cache folder."""


def zeros(rows: int, size: int) -> np.ndarray:
    """Zeros to be filled, rows x size, float32.

    Raises:
        PlainError: the disk has no room for them, which would end the process where they are filled.
    """
    folder, needed = cache_folder() / FOLDER, rows * size * np.dtype(np.float32).itemsize
    if not needed:
        return np.zeros((rows, size), np.float32)  # a map needs a byte
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, needed)
            return np.asarray(np.memmap(file, np.float32, "r+", shape=(rows, size)))
    except OSError as error:
        raise PlainError(f"{folder}: no room for {needed / 1e6:,.1f} MB of vectors: {error.strerror}") from error


def read(name: str, path: Path, columns: Sequence[str], vector: str) -> pa.Table:
    """Some columns of a table, and one of vectors, float32, which is mapped.

    Raises:
        PlainError: as `tables.read`, or the disk has no room.
    """
    vectors, begun = zeros(tables.length(name, path), tables.width(name, path, vector)), 0
    parts = []
    for group in tables.read_stream(name, path, [*columns, vector]):
        vectors[begun : begun + group.num_rows] = tables.vectors(group[vector])
        begun += group.num_rows
        parts.append(group.select(columns))
    column = group.schema.field(vector)
    whole = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1), column.type.value_type), type=column.type)
    return pa.concat_tables(parts).combine_chunks().append_column(column, whole)
