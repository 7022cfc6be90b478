"""Indexed videos decoded side by side, each in a decoding process of its own, and given back in their order.

Three at once, of which the worker has the first in hand; it holds no more than that one, the others wait where they
were decoded:

    process 0    |--video 0--|             |---video 3---| waits
    process 1    |----video 1----| waits       |------video 4--- ...
    process 2    |-video 2-| waits                 |--video 5-- ...
    the worker                |work on 0   |on 1   |on 2     |on 3 ...

No thread is needed for it: the processes are at work by themselves, so the mathematics stays on its one thread, and
a process lives as long as the worker.
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
    """Give what `read` makes of each video, in their order; where it cannot be read, what was found instead.

    Args:
        videos: with what `index` found them to be; each is checked first.
        read: importable by name, or a `partial` of what is.
        media: the bounds.
        threads: so many are decoded at once; with one, each when it is asked for.

    Leaving by an error, Ctrl-C too, ends the processes at once; else they serve again.
    """
    with ExitStack() as stack:
        guards = [stack.enter_context(Guard(media, kept=max(KEPT, threads))) for _ in range(threads)]
        yield _answers(guards, map(unchanged.recorded, videos), read, media)


def _answers(
    guards: Sequence[Guard], files: Iterable[unchanged.Recorded], read: Callable[[Path, Media], T], media: Media
) -> Iterator[T | Finding]:
    """The guards take turns, so that the one whose answer was had last is the next to begin."""
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
