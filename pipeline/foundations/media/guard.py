"""A process of its own for decoding: one that dies, hangs or grows takes one video with it, not the stage.

The process is a plain `python -m pipeline.foundations.media.child`, not one of multiprocessing's: the workers of joblib
and Dask cannot start those, and a fork would inherit the stage's memory, threads and locks.
"""

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Pipe
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from pipeline.foundations.media import wire
from pipeline.foundations.media.child import OUT_OF_MEMORY
from pipeline.foundations.media.faults import Undecodable
from pipeline.foundations.params import Media
from pipeline.foundations.runtime import incidents
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.processes import sigint_blocked

KEPT = 2
"""Children that may wait between two guards, where no more are at work side by side."""
P = ParamSpec("P")
T = TypeVar("T")


class Guard:
    """Runs media functions in a child process with a memory limit and a watchdog.

    A child costs its start once, not once a video: it serves until it dies, one guard of this process after the
    other. What it returns depends on the call alone: where a child dies that has served before, the call is made
    once more, in a fresh one, and only that one's death counts.
    """

    def __init__(self, media: Media, *, kept: int = KEPT) -> None:
        self._media = media
        self._kept = kept
        self._child: _Child | None = None
        self._pending = False
        """Whether the child has a call whose answer nobody has had yet."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child and error is None and not self._pending:
            _idle.append(self._child)
            if len(_idle) > self._kept:
                _idle.pop(0).end()
        elif self._child:  # interrupted, maybe in the middle of a call, whose answer nobody should get
            self._child.end(patience=0.0)
        self._child, self._pending = None, False

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(*args, **kwargs)` in the child; it must be importable by name.

        Raises:
            NoAudioStream: as the function.
            Undecodable: as the function; or the child died, took longer than `media.timeout_seconds` or asked
                for more than `media.memory_mb`.
        """
        return self.begin(function, *args, **kwargs)()

    def begin(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
        """Have the child begin with a call, and do not wait; what comes back waits, and then does as `call`.

        The next call may begin when that has been done.
        """
        self._submit(function, args, kwargs)
        return partial(self._result, function, args, kwargs)

    def _submit(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> "_Child":
        child = self._child = self._child or _idle_child(self._media) or _Child(self._media)
        self._pending = True
        child.submit(function, args, kwargs)
        return child

    def _result(self, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        while True:
            child = self._child or self._submit(function, args, kwargs)
            try:
                answer = child.result()
            except EOFError as error:
                code, fresh = child.end(), child.calls == 1
                self._child = None
                if fresh:
                    raise Undecodable(self._why(code)) from error
                incidents.count(incidents.REPEATED_CALLS)
            else:
                self._pending = False
                if isinstance(answer, Exception):
                    raise answer
                result: T = answer
                return result

    def _why(self, code: int) -> str:
        if code == OUT_OF_MEMORY:
            return f"decoding needs more than {self._media.memory_mb:,} MB"
        if code == -signal.SIGALRM:
            return f"decoding takes longer than {self._media.timeout_seconds:g} s"
        return f"the decoder crashed: {signal.strsignal(-code) if code < 0 else f'exit status {code}'}"


class _Child:
    """A running child and the pipe to it; it ends when the pipe closes, thus with this process at the latest.

    Raises:
        PlainError: it does not start.
    """

    def __init__(self, media: Media) -> None:
        self.media = media
        self.folder = Path.cwd()
        self.calls = 0
        self._pipe, theirs = Pipe()
        path = os.pathsep.join(filter(None, sys.path))  # the same code there as here, in a copy of the tree too
        child = [sys.executable, "-P", "-m", "pipeline.foundations.media.child"]
        command = [*child, str(theirs.fileno()), str(os.getpid())]
        with sigint_blocked(pool=False):
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env={**os.environ, "PYTHONPATH": path}
            )
        theirs.close()
        try:
            self._pipe.recv()
        except (EOFError, OSError) as error:
            code = self._process.wait()
            raise PlainError(f"the decoding process does not start: {' '.join(command)} ends with {code}") from error

    def submit(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Have a call begin there; where the child is dead, `result` says so."""
        self.calls += 1
        with suppress(OSError):
            self._pipe.send((self.media.timeout_seconds, self.media.memory_mb))
            self._pipe.send((function, args, kwargs))

    def result(self) -> Any:
        """Wait for the call's result; what it raises comes back as the answer.

        Raises:
            EOFError: the child died.
        """
        try:
            return wire.receive(self._pipe)
        except OSError as error:  # the pipe is broken rather than at its end
            raise EOFError from error

    def end(self, *, patience: float = 1.0) -> int:
        """Stop the child; returns its exit status, or minus the signal that ended it.

        An end of its own, within `patience` seconds, comes first: it says why.
        """
        self._pipe.close()
        try:
            return self._process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


_idle: list[_Child] = []
"""Children between two guards. A fork of this process must not speak to them."""
os.register_at_fork(after_in_child=_idle.clear)


def _idle_child(media: Media) -> _Child | None:
    """A child that waits for work under the same bounds, in the folder that relative paths start from."""
    for child in _idle:
        if (child.media, child.folder) == (media, Path.cwd()):
            _idle.remove(child)
            return child
    return None


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()
