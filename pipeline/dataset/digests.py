"""SHA-256 of many files, cached by size and modification time.

Digests are kept in `.cache/index/digests.sqlite`, saved during the run, so that a killed run over a million files
continues where it stopped. Results are the same without the cache.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import track

_BATCH = 256  # files between two saves
_TABLE = """
create table if not exists digests (
    path blob primary key, bytes integer not null, mtime_ns integer not null, sha256 text not null
) without rowid"""


class FileState(NamedTuple):
    """A file's path, size and time: if all three are the same, its bytes are taken as unchanged."""

    path: str
    """Absolute."""
    bytes: int
    mtime_ns: int


class Digest(NamedTuple):
    """A file's SHA-256, or the reason why there is none."""

    sha256: str
    reason: str


def digests(states: Sequence[FileState], *, workers: int) -> list[Digest]:
    """Hash files in `workers` threads (hashing releases Python's lock), in the order of `states`.

    Raises:
        PlainError: the cache cannot be written (full disk, no permission, held by another process).
    """
    cache = files.cache_folder().absolute() / "index" / "digests.sqlite"
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _digests(states, cache, workers)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # damaged: it is only a cache
            cache.unlink()
            return _digests(states, cache, workers)
    except (sqlite3.OperationalError, OSError) as error:
        raise PlainError(f"{cache}: cannot be used: {error}; it may be deleted") from error


def _digests(states: Sequence[FileState], cache: Path, workers: int) -> list[Digest]:
    with closing(sqlite3.connect(cache, timeout=60.0)) as database, ThreadPoolExecutor(workers) as pool:
        database.execute(_TABLE)
        return list(track(_each(states, database, pool), total=len(states), label="hashing"))


def _each(states: Sequence[FileState], database: sqlite3.Connection, pool: ThreadPoolExecutor) -> Iterator[Digest]:
    for start in range(0, len(states), _BATCH):
        batch = states[start : start + _BATCH]
        known = [_known(state, database) for state in batch]
        fresh = [state for state, sha256 in zip(batch, known, strict=True) if not sha256]
        hashed = dict(zip(fresh, pool.map(_hash, fresh), strict=True))
        rows = [
            (os.fsencode(state.path), state.bytes, state.mtime_ns, digest.sha256)
            for state, digest in hashed.items()
            if digest.sha256
        ]
        if rows:
            with database:
                database.executemany("insert or replace into digests values (?, ?, ?, ?)", rows)
        for state, sha256 in zip(batch, known, strict=True):
            yield Digest(sha256, "") if sha256 else hashed[state]


def _known(state: FileState, database: sqlite3.Connection) -> str:
    """The digest of an unchanged file, from an earlier run; empty where there is none."""
    query = "select sha256 from digests where path = ? and bytes = ? and mtime_ns = ?"
    row = database.execute(query, (os.fsencode(state.path), state.bytes, state.mtime_ns)).fetchone()
    return str(row[0]) if row else ""


def _hash(state: FileState) -> Digest:
    try:
        sha256 = files.sha256(Path(state.path))
        after = Path(state.path).stat()
    except OSError as error:
        return Digest("", f"cannot be read: {error.strerror}")
    if (after.st_size, after.st_mtime_ns) != (state.bytes, state.mtime_ns):
        return Digest("", "changed while it was hashed")
    return Digest(sha256, "")
