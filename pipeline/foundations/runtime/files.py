"""Atomic file writes (DESIGN.md, invariant 5), work in progress, and SHA-256 digests."""

import errno
import hashlib
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from pipeline.foundations.runtime.errors import PlainError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OTHER_FILES = 256
"""Other open files of a process: libraries, pipes, sockets."""
_NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` to write a file or a folder at; rename it to `target` on success.

    On any failure the half-made file is removed and `target` is left as it was.

    Raises:
        PlainError: the file system refuses (full disk, no permission); the message names the path.
    """
    draft = _draft(target)
    try:
        remove_partial(target)
        draft.mkdir(parents=True)
        fresh = draft / target.name
        yield fresh
        if fresh.is_file():
            _flush(fresh)
        elif target.is_dir():
            shutil.rmtree(target)
        fresh.replace(target)
    except OSError as error:
        elsewhere = f": {error.filename}" if error.filename and not str(error.filename).startswith(str(draft)) else ""
        needed = _needed(error, draft)
        raise PlainError(f"{target}: cannot be written: {error.strerror or error}{elsewhere}{needed}") from error
    finally:
        remove_partial(target)


def remove_partial(target: Path) -> None:
    """Remove the unfinished draft of `target`, whichever run left it."""
    shutil.rmtree(_draft(target), ignore_errors=True)


def _draft(target: Path) -> Path:
    """The temporary path of `target`: a fixed name, so that the next run removes what a killed one left."""
    return target.with_name(f".{target.name}.draft")


def room_for_open_files(wanted: int) -> int:
    """How many of `wanted` files this process may keep open; its soft limit is raised for them, up to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted + _OTHER_FILES:
        soft = wanted + _OTHER_FILES if hard == resource.RLIM_INFINITY else min(wanted + _OTHER_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - _OTHER_FILES))


def is_disk_or_permission_error(error: OSError) -> bool:
    """Whether it is a full disk or a missing permission, which the user can fix."""
    return error.errno in (*_NO_SPACE, *_NO_PERMISSION)


def _needed(error: OSError, draft: Path) -> str:
    """What is needed to write `draft`, where that is known."""
    if error.errno in _NO_PERMISSION:
        return f"; expected a place where user {os.geteuid()} may write"
    if error.errno not in _NO_SPACE:
        return ""
    written = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file()) / 1e6
    there = next(folder for folder in draft.parents if folder.exists())
    free = shutil.disk_usage(there).free / 1e6
    return (
        f"; it needs more than the {written:,.1f} MB that were written of it and the {free:,.1f} MB that are free "
        "there. Free disk space and run again: finished work is kept"
    )


def _flush(path: Path) -> None:
    """Bring a file's bytes to the disk, so that the rename never outlives its content."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def write_text(target: Path, text: str) -> None:
    """Write `text` as UTF-8 at `target`, atomically."""
    with atomic_write(target) as path:
        path.write_text(text, encoding="utf-8", newline="\n")


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """The folder for work in progress: on the file system of the outputs, not tracked by DVC."""
    return Path(os.environ.get("DVC_ROOT", ".")) / ".cache"


def in_a_copy() -> bool:
    """Whether this is the copy of an experiment, which shares `cache_folder` with the project and its other copies."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve() != Path.cwd().resolve()


Then = Callable[[], object]
_TO_REMOVE: ContextVar[list[tuple[Path, Then]] | None] = ContextVar("_TO_REMOVE", default=None)


def remove_work(folder: Path, then: Then) -> None:
    """Remove finished work in progress, and call `then`; inside `keep_work_until_success`, both at its end."""
    waiting = _TO_REMOVE.get()
    if waiting is None:
        shutil.rmtree(folder)
        then()
    else:
        waiting.append((folder, then))


@contextmanager
def keep_work_until_success() -> Iterator[None]:
    """Delay `remove_work` until the context ends without an error: a stage may be killed after its shards are done."""
    finished: list[tuple[Path, Then]] = []
    token = _TO_REMOVE.set(finished)
    try:
        yield
        for folder, _ in finished:
            shutil.rmtree(folder)
    finally:
        _TO_REMOVE.reset(token)
        for _, then in finished:
            then()
