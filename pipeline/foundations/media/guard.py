"""Decode in a separate, sandboxed process: a crash, hang, leak or exploit costs one video, not the stage.

    stage      --call, open file-->   decoding process, sandboxed
               <--answer, checked--   pixels and samples, of the type that the function declares (`wire`)

The process is a plain interpreter and not one of multiprocessing: workers of joblib and Dask cannot start those, and a
fork would inherit the stage's memory, threads and locks. Its environment holds only settings of numerics and threads.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, ParamSpec, Self, TypeVar

from pipeline.foundations.media import unchanged, wire
from pipeline.foundations.media.child import OUT_OF_MEMORY
from pipeline.foundations.media.faults import NoAudioStream, Undecodable
from pipeline.foundations.media.pipe import Malformed, Pipe
from pipeline.foundations.media.sandbox import SandboxStatus
from pipeline.foundations.media.source import open_regular
from pipeline.foundations.params import Media
from pipeline.foundations.runtime import incidents, numerics
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.processes import sigint_blocked

KEPT = 2
"""Idle children that are kept for the next guard."""
GRACE = 30.0
"""Seconds beyond `media.timeout_seconds` that the stage waits: a process under attack may have disabled its alarm."""
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # of PyArrow's allocator, which starts upon import
}
"""Landlock restricts the calling thread, so there should be no other."""
INHERITED = (*numerics.SETTINGS, "LD_LIBRARY_PATH")
"""Environment variables passed on: settings of numerics, and the path of shared libraries."""
_START = "import sys; sys.path[:] = sys.argv[6:]; import runpy; runpy.run_module(sys.argv.pop(6), run_name='__main__')"
P = ParamSpec("P")
T = TypeVar("T")


class DecoderError(RuntimeError):
    """A function raised an unexpected error in the decoding process; its traceback is attached as a note."""


class Guard:
    """Runs media functions in a child process with a memory limit and a watchdog.

    A child is reused by one guard after the other until it dies, so its start is paid once. Results depend on the call
    alone: when a reused child dies, the call is repeated in a new one, and only that one's death counts.
    """

    program = "pipeline.foundations.media.child"  # the child's main module; a benchmark has another

    def __init__(self, media: Media, *, kept: int = KEPT) -> None:
        self._media = media
        self._kept = kept
        self._child: _Child | None = None
        self._pending = False
        """Whether a call is pending."""
        self._held = ExitStack()
        """The files of the pending call, for a second attempt."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child and error is None and not self._pending:
            _idle.append(self._child)
            if len(_idle) > self._kept:
                _idle.pop(0).end()
        elif self._child:  # interrupted, maybe during a call, whose answer must not go to the next one
            self._child.end(patience=0.0)
        self._child, self._pending = None, False
        self._held.close()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(*args, **kwargs)` in the child; it must be importable by name.

        Raises:
            NoAudioStream: as the function.
            Undecodable: as the function; or the child died, took longer than `media.timeout_seconds` or asked
                for more than `media.memory_mb`.
        """
        return self.begin(function, *args, **kwargs)()

    def begin(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
        """Start a call without waiting; returns a function that waits for the result as `call` does.

        Paths among the arguments, also those of indexed videos, are opened here, since the child opens nothing. The
        next call may start after the result has been fetched.
        """
        self._held.close()
        try:
            opened = [self._opened(value) for value in args]
        except Undecodable as error:
            self._held.close()
            return partial(_raise, error)
        call = wire.encode_call(function, tuple(opened), kwargs)
        self._submit(call)
        return partial(self._result, call, wire.return_type(function, args))

    def sandbox_status(self) -> SandboxStatus:
        """Status of the child's sandbox.

        Raises:
            PlainError: it does not start.
        """
        self._child = self._child or self._start(frozenset())
        return self._child.sandbox

    def process(self) -> int | None:
        """The child's process id, or None."""
        return self._child.number if self._child else None

    def _opened(self, value: Any) -> Any:
        if isinstance(value, Path):
            return self._held.enter_context(open_regular(value))
        if isinstance(value, unchanged.Recorded):
            unchanged.check_present(value)
            file: Any = self._held.enter_context(open_regular(value.path))
            return value._replace(path=file)
        return value

    def _submit(self, call: wire.EncodedCall) -> "_Child":
        if self._child and not call.modules <= self._child.modules:
            call = call._replace(modules=call.modules | self._child.modules)
            self._child.end()
            self._child = None
        child = self._child = self._child or self._start(call.modules)
        self._pending = True
        child.submit(call)
        return child

    def _start(self, modules: frozenset[str]) -> "_Child":
        return _idle_child(self._media, modules, self.program) or _Child(self._media, modules, self.program)

    def _result(self, call: wire.EncodedCall, expected: Any) -> Any:
        while True:
            child = self._child or self._submit(call)
            try:
                answer = child.result(expected)
            except (EOFError, Malformed, TimeoutError) as error:
                code, fresh = child.end(patience=1.0 if isinstance(error, EOFError) else 0.0), child.calls == 1
                self._child = None
                if fresh:
                    self._pending = False
                    self._held.close()
                    raise Undecodable(self._death_reason(code, error)) from error
                incidents.count(incidents.REPEATED_CALLS)
            else:
                self._pending = False
                self._held.close()
                if isinstance(answer, Exception):
                    raise answer
                return answer

    def _death_reason(self, code: int, error: Exception) -> str:
        if isinstance(error, Malformed):
            return f"the decoder crashed: its answer is malformed: {error}"
        if code == OUT_OF_MEMORY:
            return f"decoding needs more than {self._media.memory_mb:,} MB"
        if isinstance(error, TimeoutError) or code == -signal.SIGALRM:
            return f"decoding takes longer than {self._media.timeout_seconds:g} s"
        return f"the decoder crashed: {signal.strsignal(-code) if code < 0 else f'exit status {code}'}"


class _Child:
    """A running child and the pipe to it; it ends when the pipe closes, at the latest with this process.

    Raises:
        PlainError: it does not start.
    """

    def __init__(self, media: Media, modules: frozenset[str], program: str) -> None:
        self.media = media
        self.program = program
        self.modules = modules
        """Modules that it has imported; it cannot import others."""
        self.calls = 0
        ours, theirs = socket.socketpair()
        self._pipe = Pipe(ours)
        limits = [str(media.timeout_seconds), str(media.memory_mb)]
        arguments = [str(theirs.fileno()), str(os.getpid()), *limits, ",".join(sorted(modules))]
        path = [os.path.abspath(each) for each in sys.path]  # noqa: PTH100  the same code there, in a copy of the tree too
        kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with sigint_blocked(pool=False):
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, *arguments, program, *path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=kept | ONE_THREAD,
            )
        theirs.close()
        self.number = self._process.pid
        self.sandbox = self._ready(f"{sys.executable} -m {program} {' '.join(arguments)}")

    def _ready(self, command: str) -> SandboxStatus:
        try:
            kind, *rest = self._pipe.head()
        except (EOFError, OSError) as error:
            code = self._process.wait()
            raise PlainError(f"the decoding process does not start: {command} ends with {code}") from error
        if kind == "defect":
            self.end()
            raise _defect(*rest)
        return SandboxStatus(*rest[0])

    def submit(self, call: wire.EncodedCall) -> None:
        """Send a call; if the child is dead, `result` raises."""
        self.calls += 1
        with suppress(OSError):
            self._pipe.send(call.head, call.content, call.files)

    def result(self, expected: Any) -> Any:
        """Wait for the call's result; exceptions of the function are returned.

        Args:
            expected: the type of the result.

        Raises:
            EOFError: the child died.
            Malformed: the answer is not one that the call can have.
            TimeoutError: it does not come.
        """
        try:
            seconds, room = self.media.timeout_seconds + GRACE, self.media.memory_mb * 2**20
            head = self._pipe.head(seconds=seconds, room=room)
            match head:
                case ["value", node]:
                    return wire.read_answer(self._pipe, node, expected)
                case ["no_audio_stream", reason]:
                    return NoAudioStream(wire.printable(reason))
                case ["undecodable", reason]:
                    return Undecodable(wire.printable(reason))
                case ["plain", sentence]:
                    return PlainError(wire.printable(sentence))
                case ["defect", sentence, trace]:
                    return _defect(sentence, trace)
        except TimeoutError:
            raise
        except OSError as error:  # a broken pipe counts as its end
            raise EOFError from error
        raise Malformed(f"found {str(head)[:60]!r}")

    def end(self, *, patience: float = 1.0) -> int:
        """Stop the child; returns its exit status, or minus the signal that ended it.

        It gets `patience` seconds to end by itself, so that its exit status tells the reason.
        """
        self._pipe.close()
        try:
            return self._process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


_idle: list[_Child] = []
"""Idle children. A fork of this process must not use them."""
os.register_at_fork(after_in_child=_idle.clear)


def _idle_child(media: Media, modules: frozenset[str], program: str) -> _Child | None:
    """An idle child with the same limits that has imported the modules."""
    for child in _idle:
        if child.media == media and modules <= child.modules and child.program == program:
            _idle.remove(child)
            return child
    return None


def _raise(error: Exception) -> NoReturn:
    raise error


def _defect(sentence: str, trace: str) -> DecoderError:
    error = DecoderError(wire.printable(sentence))
    error.add_note(wire.printable(trace, 20_000))
    return error


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()
