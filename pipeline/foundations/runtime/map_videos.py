"""A resumable map over videos that stops where too many of them failed: shards, then the check of failures."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar, Unpack

from pipeline.foundations.runtime import failures
from pipeline.foundations.runtime.shards import Shard, Sharding, Task, shards, total

T = TypeVar("T")


class Failures(NamedTuple):
    """What counts as a failure, and how many a stage may have."""

    counted: str
    """Name of the task's count of them."""
    reasons: Callable[[Path], Iterable[tuple[str, str]]]
    """Video id and reason of each in a shard's file."""
    allowed: float
    """The largest fraction of all videos."""
    name: str
    """Of the parameter that allows it."""


@contextmanager
def map_videos(
    task: Task[T],
    videos: Sequence[T],
    *,
    failed: Failures,
    **how: Unpack[Sharding],
) -> Iterator[list[Shard]]:
    """Run `task` over `videos` in shards and yield the finished shards in the videos' order.

    What is kept after a kill: as `pipeline.foundations.runtime.shards.shards`.

    Raises:
        PlainError: more videos failed than are allowed, the first named with their reasons; or as `shards`.
    """
    with shards(task, videos, **how) as done:
        failures.check(
            (pair for shard in done for pair in failed.reasons(shard.path)),
            failed=total(done).get(failed.counted, 0),
            total=len(videos),
            allowed=failed.allowed,
            name=failed.name,
        )
        yield done
