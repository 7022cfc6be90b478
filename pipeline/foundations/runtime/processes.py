"""Process lifetime: children die with the stage (PR_SET_PDEATHSIG), only the parent handles SIGINT, one run a stage.

A worker that outlived its stage would write into the next run's files. Linux prevents that: it kills a process that
asked for it as soon as its parent ends, however that ends.
"""

import ctypes
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.util import Finalize
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from pipeline.foundations.runtime.errors import PlainError

_SHARED = Path("/dev/shm")  # noqa: S108  where Linux keeps them
_SYSTEMS = "/tmp"  # noqa: S108  which every Linux has
_PREFIX = "m3a-"  # of temporary folders
_LONGEST = 107 - len("/m3a-12345678/pymp-12345678/listener-12345678")
"""Bytes of the folder in which multiprocessing still makes its sockets: a socket's path has 107 at most (unix(7))."""
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LAST = -1000  # priority of multiprocessing's finalizers; that of its socket folder is -100
_until_the_end: list[ExitStack] = []
"""Locks of this process, kept because forked children drop multiprocessing's references."""


def why_no_locks() -> str | None:
    """Why processes cannot share locks here, in words; None where they can. The C library keeps locks in /dev/shm."""
    try:
        get_context("fork").Lock()
    except OSError as error:
        return f"{_SHARED}, where locks between processes are kept: {error.strerror}"
    return None


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when process `parent`, its parent, ends; at once if it has ended already.

    The kernel watches the thread that started this process, so that should be the main thread.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def sigint_blocked(*, pool: bool = True) -> Iterator[None]:
    """Block SIGINT in processes started inside: a terminal sends it to all, and this process stops the others.

    In this process an interrupt is delivered when the context ends, so that no child is left half started.

    Args:
        pool: whether multiprocessing or loky starts them, which need their resource tracker running first.
    """
    if pool:
        resource_tracker.ensure_running()  # started inside, it would unblock SIGINT (Python 3.11)
    with _interrupt_deferred():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _interrupt_deferred() -> Iterator[None]:
    """Defer SIGINT in this process: a signal mask covers one thread only, and Python always interrupts the main one."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            handler(*came[0])


@contextmanager
def stage_lock(name: str, folder: Path, *, whole_process: bool) -> Iterator[None]:
    """Hold the lock of a stage, so that one process at a time runs it: a stage can outlive a DVC that was killed.

    The kernel releases it when the process ends, however it ends. What a killed run left outside the checkout
    (temporary files, named semaphores) is removed by the next.

    Args:
        name: of the stage.
        folder: for the lock file and, while the stage runs, a note of what it may leave.
        whole_process: whether this process does nothing else and ends with the stage; it holds the lock until then.

    Raises:
        PlainError: another process holds it, or the folder cannot be written.
    """
    path = folder / f"{name}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path).acquire(blocking=False)
    except Timeout as error:
        raise PlainError(
            f"{path}: another process runs stage {name} in this checkout; wait for it, or stop it"
        ) from error
    except OSError as error:
        raise PlainError(f"{path}: cannot be written: {error.strerror}") from error
    note = path.with_suffix(".running")
    with ExitStack() as held:
        held.enter_context(lock)
        _clean_up_after(note)
        held.callback(note.unlink, missing_ok=True)
        temporary = _temporary_folder() if whole_process else ""
        if whole_process:  # multiprocessing has files there, which it removes as the process ends
            held.callback(shutil.rmtree, temporary, ignore_errors=True)
            _until_the_end.append(held.pop_all())
            Finalize(None, _until_the_end[-1].close, exitpriority=_LAST)
        note.write_text(f"{os.getpid()}\n{temporary}\n", encoding="utf-8")
        yield


def _temporary_folder() -> str:
    """Set one folder for all temporary files of this process and its children."""
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) > _LONGEST:  # the loader's workers could not send a batch, and it would wait forever
        parent = _SYSTEMS
    folder = os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
    return folder


def _clean_up_after(note: Path) -> None:
    """Remove what a killed process left: its temporary folder and joblib's files with its process id."""
    with suppress(OSError, UnicodeDecodeError, ValueError):  # no note: no run was killed, or only while writing it
        process, temporary = note.read_text(encoding="utf-8").splitlines()
        if Path(temporary).name.startswith(_PREFIX):
            shutil.rmtree(temporary, ignore_errors=True)
        for left in (*_SHARED.glob(f"sem.loky-{int(process)}-*"), *_SHARED.glob(f"joblib_*_{int(process)}_*")):
            left.rmdir() if left.is_dir() else left.unlink()
