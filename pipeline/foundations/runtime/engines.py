"""Run tasks in processes of this machine (joblib), or on a Dask cluster.

Tasks compute on one thread, so that results depend neither on the engine nor on the number of workers.
"""

import os
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path

import joblib

from pipeline.foundations.params import Execution
from pipeline.foundations.runtime import incidents, memory
from pipeline.foundations.runtime.dask_engine import run_on_dask
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.processes import die_with_parent, sigint_blocked, why_no_locks
from pipeline.foundations.runtime.progress import say
from pipeline.foundations.runtime.tasks import KILLED, Ended, Task, on_one_thread

LOSSES = 3
"""Killed workers that a run recovers from, as in Dask: a task that kills several is faulty."""


def run_tasks(tasks: Sequence[Task], execution: Execution) -> Generator[Path, None, None]:
    """Run `tasks`, yielding what each returns as it ends, in any order.

    Raises:
        PlainError: a worker process was killed, or the Dask cluster cannot be had; or whatever a task raises.
    """
    if not tasks:
        return
    run = run_on_dask if execution.engine == "dask" else _on_this_machine
    for ended in run(tasks, execution):
        memory.report(ended.memory_mb, ended.together_mb, ended.process)
        if ended.process != os.getpid():  # in other processes they are counted already
            incidents.add(ended.incidents)
        yield ended.made


def _on_this_machine(tasks: Sequence[Task], execution: Execution) -> Iterator[Ended]:
    """Run in local processes. After one is killed, the tasks that were running are repeated in new ones.

    Without locks, they run one after the other in this process: joblib would use threads, which share PyTorch's
    settings.
    """
    if (reason := why_no_locks()) and execution.workers > 1:
        say(f"{reason}; so tasks run one after the other in this process, not {execution.workers} side by side")
    if reason:
        yield from map(on_one_thread, tasks)
        return
    waiting, losses = dict(enumerate(tasks)), 0
    workers = min(execution.workers, len(tasks))  # even for few tasks: with one worker, joblib would use this process
    while waiting:
        try:
            with closing(_in_processes(waiting, workers)) as results:
                for number, ended in results:
                    del waiting[number]
                    yield ended
        except BrokenProcessPool as error:
            losses += 1
            incidents.count(incidents.LOST_WORKERS)
            if losses > LOSSES:
                raise PlainError(KILLED) from error
            say(f"a worker process was killed; {len(waiting):,} tasks continue in new ones")


def _in_processes(tasks: Mapping[int, Task], workers: int) -> Generator[tuple[int, Ended], None, None]:
    pool = joblib.Parallel(
        n_jobs=workers,
        backend="loky",
        return_as="generator_unordered",
        batch_size=1,
        max_nbytes=None,  # no memory maps in /dev/shm, which a killed run would leave there
        initializer=die_with_parent,
        initargs=(os.getpid(),),
    )
    with sigint_blocked():
        results = pool(joblib.delayed(_numbered)(number, task) for number, task in list(tasks.items()))
    try:
        for ended in results:  # noqa: UP028  `yield from` would close it before `finally` does
            yield ended
    finally:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # that tasks were given up is known
            results.close()


def _numbered(number: int, task: Task) -> tuple[int, Ended]:
    return number, on_one_thread(task)
