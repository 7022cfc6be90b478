"""A process of its own for decoding: one that dies, hangs or grows takes one video with it, not the stage."""

import multiprocessing
import resource
from collections.abc import Callable
from concurrent.futures import TimeoutError as CallTimeoutError
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from pebble import ProcessExpired, ProcessPool

from pipeline.media.faults import Undecodable
from pipeline.params import Media

P = ParamSpec("P")
T = TypeVar("T")

_PRELOAD = [
    "pipeline.media.sound",
    "pipeline.media.frames",
    "joblib.externals.loky.backend.context",  # a child of joblib's worker is told to start its own in joblib's way
]


class Guard:
    """One persistent child process with a memory limit and a watchdog.

    A child costs its start once, not once a video; after a crash, a time-out or a breach of the memory limit a
    fresh one takes its place. The limit is on address space beyond what the child has at its start.
    """

    def __init__(self, media: Media) -> None:
        self._media = media

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOAD)
        self._pool = ProcessPool(
            max_workers=1, initializer=_limit_memory, initargs=(self._media.memory_mb,), context=context
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.stop()
        self._pool.join()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(*args, **kwargs)` in the child; it must be importable by name.

        Raises:
            NoAudioStream: as the function.
            Undecodable: as the function; or the child died, took longer than `media.timeout_seconds` or asked
                for more than `media.memory_mb`.
        """
        future = self._pool.schedule(function, args=args, kwargs=kwargs, timeout=self._media.timeout_seconds)
        try:
            result: T = future.result()
            return result
        except CallTimeoutError as error:
            raise Undecodable(f"decoding took longer than {self._media.timeout_seconds:g} s") from error
        except MemoryError as error:
            raise Undecodable(f"decoding needs more than {self._media.memory_mb} MB") from error
        except ProcessExpired as error:
            raise Undecodable(f"the decoder crashed ({_exit(error.exitcode)})") from error


def _exit(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit {code}"


def _limit_memory(memory_mb: int) -> None:
    """Hold this process's address space to what it has now plus `memory_mb`."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
