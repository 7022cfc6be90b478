"""Tasks and their results, for any engine."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from threadpoolctl import threadpool_limits

from pipeline.foundations.runtime import incidents, memory

Task = Callable[[], Path]
KILLED = (
    "a worker process was killed, most likely because the system ran out of memory; finished work is kept. "
    "Run again, with fewer execution.workers or smaller shards"
)


class Ended(NamedTuple):
    """The result of a task."""

    made: Path
    memory_mb: float
    """Peak so far, of the worker or one of its children."""
    together_mb: float
    """Sum of their peaks."""
    incidents: Counter[str]
    """Faults that the task recovered from (`incidents`)."""
    process: int
    """Id of the process that ran it."""


def on_one_thread(task: Task) -> Ended:
    """Run a task with every mathematics library limited to one thread."""
    before = incidents.so_far()
    with threadpool_limits(limits=1):
        made = task()
    return Ended(made, memory.largest_mb(), memory.together_mb(), incidents.so_far() - before, os.getpid())
