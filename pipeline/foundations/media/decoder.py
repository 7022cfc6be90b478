"""The decoding process as the stage sees it: its start, its calls, its end, and idle ones to reuse.

The process is a plain interpreter and not one of multiprocessing: workers of joblib and Dask cannot start those, and a
fork would inherit the stage's memory, threads and locks. Its environment holds only settings of numerics and threads.
"""

import atexit
import os
import socket
import subprocess
import sys
from contextlib import suppress
from typing import Any

from pipeline.foundations.media import answers, wire
from pipeline.foundations.media.faults import NoAudioStream, Undecodable
from pipeline.foundations.media.pipe import Malformed, Pipe
from pipeline.foundations.media.sandbox import SandboxStatus
from pipeline.foundations.params import Media
from pipeline.foundations.runtime import numerics
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.processes import sigint_blocked

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


class DecoderError(RuntimeError):
    """A function raised an unexpected error in the decoding process; its traceback is attached as a note."""


class Decoder:
    """A running decoding process and the pipe to it; it ends when the pipe closes, at the latest with this process.

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
        """Send a call; if the process is dead, `result` raises."""
        self.calls += 1
        with suppress(OSError):
            self._pipe.send(call.head, call.content, call.files)

    def result(self, expected: Any) -> Any:
        """Wait for the call's result; exceptions of the function are returned.

        Args:
            expected: the type of the result.

        Raises:
            EOFError: the process died.
            Malformed: the answer is not one that the call can have.
            TimeoutError: it does not come.
        """
        try:
            seconds, room = self.media.timeout_seconds + GRACE, self.media.memory_mb * 2**20
            head = self._pipe.head(seconds=seconds, room=room)
            match head:
                case ["value", node]:
                    return answers.read_answer(self._pipe, node, expected)
                case ["no_audio_stream", reason]:
                    return NoAudioStream(answers.printable(reason))
                case ["undecodable", reason]:
                    return Undecodable(answers.printable(reason))
                case ["plain", sentence]:
                    return PlainError(answers.printable(sentence))
                case ["defect", sentence, trace]:
                    return _defect(sentence, trace)
        except TimeoutError:
            raise
        except OSError as error:  # a broken pipe counts as its end
            raise EOFError from error
        raise Malformed(f"found {str(head)[:60]!r}")

    def end(self, *, patience: float = 1.0) -> int:
        """Stop the process; returns its exit status, or minus the signal that ended it.

        It gets `patience` seconds to end by itself, so that its exit status tells the reason.
        """
        self._pipe.close()
        try:
            return self._process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


idle: list[Decoder] = []
"""Idle processes. A fork of this process must not use them."""
os.register_at_fork(after_in_child=idle.clear)


def reuse(media: Media, modules: frozenset[str], program: str) -> Decoder | None:
    """An idle process with the same limits that has imported the modules."""
    for child in idle:
        if child.media == media and modules <= child.modules and child.program == program:
            idle.remove(child)
            return child
    return None


def _defect(sentence: str, trace: str) -> DecoderError:
    error = DecoderError(answers.printable(sentence))
    error.add_note(answers.printable(trace, 20_000))
    return error


@atexit.register
def end_idle() -> None:
    """End all idle processes."""
    while idle:
        idle.pop().end()
