"""How the processes of one stage hang together: one begins, the others end with it, and Ctrl-C is its alone.

A worker that outlived its stage would write beside the next run's workers. The kernel prevents that (Linux): it kills
a process that asked for it as soon as its parent ends, however that ends.
"""

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import PlainError

_SHARED = Path("/dev/shm")  # noqa: S108  where Linux keeps them
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with(parent: int) -> None:
    """Have this process killed when the one that started it, `parent`, ends; at once where that has ended already.

    It is the thread that started it which counts, so it should be one that stays: the main thread.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """What is started inside never sees Ctrl-C, which a terminal sends to all: this process stops the others.

    Here an interrupt is held back until the context ends.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def alone(name: str, folder: Path) -> Iterator[None]:
    """Hold the place of a stage, which one process at a time may have: a stage outlives a DVC that was killed.

    The kernel frees it when that process ends, however it ends. After a kill, what the system still keeps of the dead
    one (names of semaphores in shared memory) is cleared.

    Args:
        name: of the stage.
        folder: for the lock's file and, while the stage runs, its process's number.

    Raises:
        PlainError: another process has it, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock").acquire(blocking=False)
    except Timeout as error:
        raise PlainError(
            f"{folder / name}.lock: another process runs stage {name} in this checkout; wait for it, or stop it"
        ) from error
    except OSError as error:
        raise PlainError(f"{folder / name}.lock: cannot be written: {error.strerror}") from error
    note = folder / f"{name}.pid"
    with lock:
        if note.exists():
            _clear_after(note.read_text(encoding="ascii"))
        note.write_text(str(os.getpid()), encoding="ascii")
        try:
            yield
        finally:
            note.unlink()


def _clear_after(process: str) -> None:
    """Remove what joblib, killed, could not: it names all by the number of its process."""
    if not process.isdecimal():
        return  # killed while it wrote that
    for left in (*_SHARED.glob(f"sem.loky-{process}-*"), *_SHARED.glob(f"joblib_memmapping_folder_{process}_*")):
        with suppress(OSError):
            left.rmdir() if left.is_dir() else left.unlink()
