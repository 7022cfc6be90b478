"""The decoding process: answers calls from a pipe until one kills it or the pipe closes.

It imports what its calls need, then enters the sandbox (`sandbox.lock`): from there on it opens no file, and reads
those that the stage opened and sent. An unhandled SIGALRM ends a call that takes too long, in a decoder too, and the
kernel kills the process when its parent ends. Started by `pipeline.foundations.media.guard` only.
"""

import hashlib
import os
import pkgutil
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import av

from pipeline.foundations.media import sandbox, wire
from pipeline.foundations.media.faults import NoAudioStream, Undecodable
from pipeline.foundations.media.pipe import Pipe
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.processes import die_with_parent

OUT_OF_MEMORY = 12
"""Exit status after hitting the memory limit; a new process takes over, since this one may be in any state."""
KINDS: dict[type[PlainError], str] = {NoAudioStream: "no_audio_stream", Undecodable: "undecodable", PlainError: "plain"}
"""Exceptions of functions that are not defects, by their names on the wire."""


def main(descriptor: int, parent: int, seconds: float, megabytes: int, modules: Sequence[str]) -> None:
    """Import `modules`, enter the sandbox, report its status, and serve."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and closes the pipe
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # even if the parent ignores alarms
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    pipe = Pipe(socket.socket(fileno=descriptor))
    try:
        wire.import_modules(modules)
        _warm_up()
    except Exception as error:  # noqa: BLE001  it is raised in the parent
        pipe.send(_defect(error))
        return
    os.environ.clear()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):  # terminals interpret escape sequences
        os.dup2(nowhere, standard)
    status = sandbox.lock(megabytes=2 * megabytes)
    pipe.send(["ready", list(status)])
    serve(pipe, seconds, megabytes)


def _warm_up() -> None:
    """Have libraries load now what they would load at first use."""
    wire.import_modules([module.name for module in pkgutil.walk_packages(av.__path__, "av.")])
    hashlib.sha256(b"").hexdigest()
    try:
        raise ValueError
    except ValueError:
        traceback.format_exc()
    sandbox.address_space()


def serve(pipe: Pipe, seconds: float, megabytes: int) -> None:
    """Answer calls, one after the other."""
    while True:
        try:
            try:
                call = wire.receive_call(pipe, megabytes * 2**20)
            except (LookupError, AttributeError, TypeError, ValueError) as error:
                pipe.send(_defect(error))
                continue
            with limit_address_space(megabytes):
                _answer(pipe, call, seconds)
        except (EOFError, BrokenPipeError):
            return
        except MemoryError:
            os._exit(OUT_OF_MEMORY)


@contextmanager
def limit_address_space(megabytes: int) -> Iterator[None]:
    """Limit the address space (RLIMIT_AS) to `megabytes` beyond what the process has now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = sandbox.address_space() + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _answer(pipe: Pipe, call: wire.Call, seconds: float) -> None:
    """Send the function's result, or what it raised."""
    try:
        result = _in_time(seconds, call)
    except MemoryError:
        raise
    except PlainError as error:
        pipe.send([KINDS.get(type(error), "plain"), str(error)])
    except Exception as error:  # noqa: BLE001  it is raised in the parent
        pipe.send(_defect(error))
    else:
        try:
            wire.send_answer(pipe, result)
        except (TypeError, ValueError) as error:
            pipe.send(_defect(error))


def _in_time(seconds: float, call: wire.Call) -> Any:
    """The function's result, within a time limit that does not cover sending it, since the parent may be busy."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return call.function(*call.args, **call.kwargs)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for file in call.files:
            file.close()


def _defect(error: Exception) -> list[str]:
    """An unexpected error with its traceback, as text for the parent."""
    return ["defect", f"{type(error).__name__}: {error}", traceback.format_exc()]


if __name__ == "__main__":
    main(
        int(sys.argv[1]),
        int(sys.argv[2]),
        float(sys.argv[3]),
        int(sys.argv[4]),
        [name for name in sys.argv[5].split(",") if name],
    )
