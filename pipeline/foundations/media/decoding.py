"""Decode indexed videos in parallel, each in its own process, and yield them in order.

With three at once, the worker holds only the video that it works on; the others wait in the processes that decoded
them:

    process 0    |--video 0--|             |---video 3---| waits
    process 1    |----video 1----| waits       |------video 4--- ...
    process 2    |-video 2-| waits                 |--video 5-- ...
    the worker                |work on 0   |on 1   |on 2     |on 3 ...

No threads are needed, so mathematics stays on one thread; a process lives as long as the worker.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from pipeline.foundations.media import unchanged
from pipeline.foundations.media.faults import Finding, NoAudioStream, Undecodable
from pipeline.foundations.media.guard import KEPT, Guard
from pipeline.foundations.params import Media

T = TypeVar("T")


@contextmanager
def decoded(
    videos: Iterable[unchanged.Indexed], read: Callable[[Path, Media], T], media: Media, *, threads: int
) -> Iterator[Iterator[T | Finding]]:
    """Yield the result of `read` for each video, in order; for one that cannot be read, the finding.

    Args:
        videos: with size and digest from `index`, which are checked first.
        read: importable by name, or a `partial` of such a function.
        media: the bounds.
        threads: how many are decoded at once; with 1, each when it is asked for.

    An error or Ctrl-C inside ends the processes at once; otherwise they are reused.
    """
    with ExitStack() as stack:
        guards = [stack.enter_context(Guard(media, kept=max(KEPT, threads))) for _ in range(threads)]
        yield _answers(guards, map(unchanged.recorded, videos), read, media)


def _answers(
    guards: Sequence[Guard], files: Iterable[unchanged.Recorded], read: Callable[[Path, Media], T], media: Media
) -> Iterator[T | Finding]:
    """The guards take turns: the one that answered last starts the next video."""
    waiting: deque[Callable[[], T]] = deque()
    for number, file in enumerate(files):
        if len(waiting) == len(guards):
            yield _found(waiting.popleft())
        waiting.append(guards[number % len(guards)].begin(unchanged.read, file, read, media))
    while waiting:
        yield _found(waiting.popleft())


def _found(answer: Callable[[], T]) -> T | Finding:
    try:
        return answer()
    except (NoAudioStream, Undecodable) as finding:
        return finding
