"""Decode in a separate, sandboxed process: a crash, hang, leak or exploit costs one video, not the stage.

    stage      --call, open file-->   decoding process, sandboxed
               <--answer, checked--   pixels and samples, of the type that the function declares

The process itself is `decoder.Decoder`; a guard reuses one or starts it, and ends it where it does not answer.
"""

import signal
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, ParamSpec, Self, TypeVar

from pipeline.foundations.media import answers, unchanged, wire
from pipeline.foundations.media.child import OUT_OF_MEMORY
from pipeline.foundations.media.decoder import Decoder, idle, reuse
from pipeline.foundations.media.faults import Undecodable
from pipeline.foundations.media.pipe import Malformed
from pipeline.foundations.media.sandbox import SandboxStatus
from pipeline.foundations.media.source import open_regular
from pipeline.foundations.params import Media
from pipeline.foundations.runtime import incidents

KEPT = 2
"""Idle children that are kept for the next guard."""
P = ParamSpec("P")
T = TypeVar("T")


class Guard:
    """Runs media functions in a child process with a memory limit and a watchdog.

    A child is reused by one guard after the other until it dies, so its start is paid once. Results depend on the call
    alone: when a reused child dies, the call is repeated in a new one, and only that one's death counts.
    """

    program = "pipeline.foundations.media.child"  # the child's main module; a benchmark has another

    def __init__(self, media: Media, *, kept: int = KEPT) -> None:
        self._media = media
        self._kept = kept
        self._child: Decoder | None = None
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
            idle.append(self._child)
            if len(idle) > self._kept:
                idle.pop(0).end()
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
        return partial(self._result, call, answers.return_type(function, args))

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

    def _submit(self, call: wire.EncodedCall) -> Decoder:
        if self._child and not call.modules <= self._child.modules:
            call = call._replace(modules=call.modules | self._child.modules)
            self._child.end()
            self._child = None
        child = self._child = self._child or self._start(call.modules)
        self._pending = True
        child.submit(call)
        return child

    def _start(self, modules: frozenset[str]) -> Decoder:
        return reuse(self._media, modules, self.program) or Decoder(self._media, modules, self.program)

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


def _raise(error: Exception) -> NoReturn:
    raise error
