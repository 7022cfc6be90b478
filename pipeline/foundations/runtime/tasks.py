"""A task and what comes back from the worker that ran it, whichever engine that belongs to."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from threadpoolctl import threadpool_limits

from pipeline.foundations.runtime import incidents, memory

Task = Callable[[], Path]
KILLED = (
    "a worker process was killed, by the system for want of memory most likely; what was finished is kept. "
    "Run again, with fewer execution.workers or smaller shards"
)


class Ended(NamedTuple):
    """What comes back from a worker."""

    made: Path
    memory_mb: float
    """At most, up to now, of the worker or one of its own children."""
    incidents: Counter[str]
    """What went wrong and was got over during the task."""
    process: int
    """That ran it."""


def on_one_thread(task: Task) -> Ended:
    """Run a task with every mathematics library held to one thread."""
    before = incidents.so_far()
    with threadpool_limits(limits=1):
        made = task()
    return Ended(made, memory.largest_mb(), incidents.so_far() - before, os.getpid())
