"""The guarded process: takes calls from a pipe and answers them, until one kills it or the pipe closes.

Its watchdog is the kernel's: an alarm that nothing handles ends it inside a decoder too, and so does its parent's
end. It is started by `pipeline.foundations.media.guard` and by nobody else.
"""

import os
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from pickle import PicklingError  # noqa: TID251  the name of an error
from typing import Any

from pipeline.foundations.media import wire
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.processes import die_with_parent

OUT_OF_MEMORY = 12
"""Exit status where the memory limit was hit; a fresh process takes over, since this one may be in any state."""


def serve(pipe: Connection) -> None:
    """Answer calls: a pair (seconds, megabytes) of limits, then (function, args, kwargs); one answer each."""
    pipe.send("ready")
    while True:
        try:
            seconds, megabytes = pipe.recv()
            call = _receive(pipe)
            with limit_address_space(megabytes):
                _send(pipe, call if isinstance(call, Exception) else _in_time(seconds, *call))
        except (EOFError, BrokenPipeError):
            return
        except MemoryError:
            os._exit(OUT_OF_MEMORY)


@contextmanager
def limit_address_space(megabytes: int) -> Iterator[None]:
    """Limit the address space (RLIMIT_AS) to `megabytes` beyond what the process has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + megabytes * 2**20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def _receive(pipe: Connection) -> tuple[Any, tuple[Any, ...], dict[str, Any]] | Exception:
    """The next call, or why it means nothing here: its function's module is not to be imported."""
    try:
        function, args, kwargs = pipe.recv()
    except (ImportError, AttributeError) as error:
        return error
    return function, args, kwargs


def _in_time(seconds: float, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The answer, within a time; that of sending it is the parent's, which may have other work just then."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    answer = _result(function, args, kwargs)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return answer


def _result(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The function's result, or what it raised; a defect with its trace, which would stay behind here."""
    try:
        return function(*args, **kwargs)
    except MemoryError:
        raise
    except PlainError as error:
        return error
    except Exception as error:  # noqa: BLE001  it is raised in the parent
        error.add_note(traceback.format_exc())
        return error


def _send(pipe: Connection, answer: Any) -> None:
    """Send an answer, or why it cannot travel."""
    try:
        wire.send(pipe, answer)
    except (TypeError, AttributeError, PicklingError) as error:
        wire.send(pipe, error)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; the pipe tells
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # whatever the parent does with its own alarms
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is expected and leaves no file behind
    serve(Connection(int(sys.argv[1])))
