"""Where tasks run: processes of this machine (joblib), or a Dask cluster.

The mathematics of a task runs on one thread wherever it runs, so that results do not depend on the engine or
on the number of workers.
"""

import os
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import joblib
from threadpoolctl import threadpool_limits

from pipeline.foundations.params import Execution
from pipeline.foundations.runtime import memory
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.extras import require
from pipeline.foundations.runtime.numerics import Numerics, numerics_in_use
from pipeline.foundations.runtime.processes import die_with_parent, sigint_blocked, why_no_locks
from pipeline.foundations.runtime.progress import say

Task = Callable[[], Path]
LOSSES = 3
"""Killed workers that a run gets over: one may have bad luck, but a task that kills each has a fault. Dask's number."""


class _Ended(NamedTuple):
    """What comes back from a worker."""

    made: Path
    memory_mb: float
    """At most, up to now, of the worker or one of its own children."""


_KILLED = (
    "a worker process was killed, by the system for want of memory most likely; what was finished is kept. "
    "Run again, with fewer execution.workers or smaller shards"
)


def run_tasks(tasks: Sequence[Task], execution: Execution) -> Generator[Path, None, None]:
    """Run `tasks`, yielding what each returns as it ends, in any order.

    Raises:
        PlainError: a worker process was killed, or the Dask cluster cannot be had; or whatever a task raises.
    """
    if not tasks:
        return
    run = _on_dask if execution.engine == "dask" else _on_this_machine
    for ended in run(tasks, execution):
        memory.report(ended.memory_mb)
        yield ended.made


def _on_this_machine(tasks: Sequence[Task], execution: Execution) -> Iterator[_Ended]:
    """By processes here. Where one is killed, the tasks that were at work are done once more, in fresh ones.

    Without locks, one after the other in this process: joblib would take threads, which share PyTorch's settings.
    """
    if (reason := why_no_locks()) and execution.workers > 1:
        say(f"{reason}; so tasks run one after the other in this process, not {execution.workers} side by side")
    if reason:
        yield from map(_on_one_thread, tasks)
        return
    waiting, losses = dict(enumerate(tasks)), 0
    workers = min(execution.workers, len(tasks))  # and not fewer for the last: one alone would be this very process
    while waiting:
        try:
            with closing(_in_processes(waiting, workers)) as results:
                for number, ended in results:
                    del waiting[number]
                    yield ended
        except BrokenProcessPool as error:
            losses += 1
            if losses > LOSSES:
                raise PlainError(_KILLED) from error
            say(f"a worker process was killed; {len(waiting):,} tasks go on in fresh ones")


def _in_processes(tasks: Mapping[int, Task], workers: int) -> Generator[tuple[int, _Ended], None, None]:
    pool = joblib.Parallel(
        n_jobs=workers,
        backend="loky",
        return_as="generator_unordered",
        batch_size=1,
        max_nbytes=None,  # no memory maps in /dev/shm: a killed run would leave them there
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


def _numbered(number: int, task: Task) -> tuple[int, _Ended]:
    return number, _on_one_thread(task)


def _on_dask(tasks: Sequence[Task], execution: Execution) -> Iterator[_Ended]:
    """By Dask's own futures: joblib's Dask backend waits for ever for a worker that was killed."""
    with _client(execution) as client:
        from dask.distributed import KilledWorker, as_completed

        futures = [client.submit(_on_dasks_worker, task, numerics_in_use(), pure=False) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except KilledWorker as error:
            raise PlainError(_KILLED) from error
        finally:
            client.cancel(futures)


@contextmanager
def _client(execution: Execution) -> Iterator[Any]:
    """Join the cluster at `execution.address`, or start one on this machine; Dask is an optional extra.

    Raises:
        PlainError: Dask is not installed, no scheduler answers, or its workers cannot have locks here.
    """
    if execution.address is None and (reason := why_no_locks()):
        raise PlainError(
            f"execution.engine is dask, which starts no workers here: {reason}; mount a tmpfs there, set "
            "execution.engine to local, or execution.address to a running scheduler's"
        )
    require("dask", "execution.engine: dask")
    from dask.distributed import Client, LocalCluster

    with ExitStack() as cleanup:
        address = execution.address
        if address is None:
            cluster = LocalCluster(n_workers=execution.workers, threads_per_worker=1, dashboard_address=None)
            address = cleanup.enter_context(cluster).scheduler_address
        try:
            client = Client(address, timeout="10s")
        except (OSError, TimeoutError, ValueError) as error:
            raise PlainError(f"execution.address: no Dask scheduler answers at {address}: {error}") from error
        yield cleanup.enter_context(client)


def _on_dasks_worker(task: Task, numerics: Numerics) -> _Ended:
    """Run a task where no other runs in the same process: what PyTorch is set to, and the GPU, are the process's.

    Raises:
        PlainError: others may run there, or the worker computes otherwise than the stage.
    """
    from dask.distributed import get_worker

    worker = get_worker()
    if worker.state.nthreads > 1:
        raise PlainError(
            f"execution.address: the Dask worker {worker.address} runs {worker.state.nthreads} tasks at once in one "
            "process; expected one: start workers with one thread each (--nthreads 1, or as many processes as cores)"
        )
    if numerics_in_use() != numerics:
        raise PlainError(
            f"numerics: the stage computes with {numerics} arithmetic and the Dask worker {worker.address} with "
            f'{numerics_in_use()}: start workers where `eval "$(m3a numerics)"` has set the environment'
        )
    return _on_one_thread(task)


def _on_one_thread(task: Task) -> _Ended:
    """Run a task with every mathematics library held to one thread."""
    with threadpool_limits(limits=1):
        made = task()
    return _Ended(made, memory.largest_mb())
