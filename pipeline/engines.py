"""Where tasks run: processes of this machine, or a Dask cluster, both through joblib.

The mathematics of a task runs on one thread wherever it runs, so that results do not depend on the engine or
on the number of workers.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import joblib
from threadpoolctl import threadpool_limits

from pipeline.errors import PlainError
from pipeline.params import Execution


def run_tasks(tasks: Sequence[Callable[[], Path]], execution: Execution) -> Iterator[Path]:
    """Run `tasks`, yielding what each returns as it ends, in any order."""
    if execution.engine == "dask":
        with _dask(execution):
            yield from _parallel(tasks, execution.workers, backend="dask")
    else:
        yield from _parallel(tasks, min(execution.workers, len(tasks)), backend="loky")


@contextmanager
def _dask(execution: Execution) -> Iterator[None]:
    """Join the cluster at `execution.address`, or start one on this machine; Dask is an optional extra.

    Raises:
        PlainError: Dask is not installed, or no scheduler answers.
    """
    try:
        from dask.distributed import Client, LocalCluster
    except ImportError as error:
        raise PlainError("execution.engine is dask, and Dask is not installed: pip install '.[dask]'") from error
    if execution.address is None:
        workers = execution.workers
        with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
            yield
        return
    try:
        client = Client(execution.address, timeout="10s")
    except (OSError, TimeoutError, ValueError) as error:
        raise PlainError(f"execution.address: no Dask scheduler answers at {execution.address}: {error}") from error
    with client:
        yield


def _parallel(tasks: Sequence[Callable[[], Path]], workers: int, *, backend: str) -> Iterator[Path]:
    with joblib.parallel_config(backend=backend):
        pool = joblib.Parallel(n_jobs=max(workers, 1), return_as="generator_unordered", batch_size=1)
        yield from pool(joblib.delayed(_on_one_thread)(task) for task in tasks)


def _on_one_thread(task: Callable[[], Path]) -> Path:
    """Run a task with every mathematics library held to one thread."""
    with threadpool_limits(limits=1):
        return task()
