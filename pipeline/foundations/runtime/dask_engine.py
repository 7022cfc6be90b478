"""Run tasks on a Dask cluster by Dask's futures, since joblib's Dask backend waits forever for a killed worker."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any

from pipeline.foundations.params import Execution
from pipeline.foundations.runtime import incidents
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.extras import require
from pipeline.foundations.runtime.numerics import Numerics, numerics_in_use
from pipeline.foundations.runtime.processes import why_no_locks
from pipeline.foundations.runtime.progress import say
from pipeline.foundations.runtime.tasks import KILLED, Ended, Task, on_one_thread

CHECK_EVERY = 1.0
"""Seconds between two checks of the workers."""
MAX_WAIT = 300.0
"""Seconds to wait while there is no worker: an adaptive cluster may take minutes to start its first."""
ANSWER = "10s"
"""Timeout of the scheduler's answers."""


def run_on_dask(tasks: Sequence[Task], execution: Execution) -> Iterator[Ended]:
    """Run tasks on the cluster at `execution.address`, or on one that is started here.

    Tasks of a lost worker are run again by another; each loss is logged and counted in the stage's record.

    Raises:
        PlainError: a task's workers were killed again and again, no worker has been there for `MAX_WAIT` seconds, or
            the scheduler is gone; or whatever a task raises.
    """
    with _client(execution) as client:
        from dask.distributed import KilledWorker
        from distributed.client import ClosedClientError, FutureCancelledError

        workers = _Workers(client)
        done: SimpleQueue[Any] = SimpleQueue()
        futures = [client.submit(_on_worker, task, numerics_in_use(), pure=False) for task in tasks]
        for future in futures:
            future.add_done_callback(done.put)
        try:
            workers.look(len(futures))
            for left in range(len(futures), 0, -1):
                yield _result(_next(done, workers, left), workers, left)
            workers.look(0)
        except KilledWorker as error:
            raise PlainError(KILLED) from error
        except FutureCancelledError as error:
            raise PlainError(
                f"the Dask scheduler gave up the tasks: {error}; what was finished is kept. Run again"
            ) from error
        finally:
            with suppress(OSError, TimeoutError, ClosedClientError):  # the scheduler is gone, and the tasks with it
                client.cancel(futures)


def _next(done: "SimpleQueue[Any]", workers: "_Workers", left: int) -> Any:
    """The next future that has ended."""
    while True:
        workers.check_regularly(left)
        with suppress(Empty):
            return done.get(timeout=CHECK_EVERY)


def _result(future: Any, workers: "_Workers", left: int) -> Ended:
    """The result of a future; if its worker is lost before the result is fetched, it is computed again."""
    while True:
        try:
            ended: Ended = future.result(timeout=CHECK_EVERY)
        except TimeoutError:
            workers.check_regularly(left)
        else:
            return ended


class _Workers:
    """Watches which workers of a cluster are there."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._known: set[str] = set()
        self._looked = self._last_seen = time.monotonic()
        self._said = False

    def check_regularly(self, left: int) -> None:
        """Call `look` at intervals."""
        if time.monotonic() - self._looked >= CHECK_EVERY:
            self.look(left)

    def look(self, left: int) -> None:
        """Log workers lost since the last check, while `left` tasks are to be done.

        Raises:
            PlainError: there has been none for too long, or the scheduler does not answer.
        """
        try:
            if self._client.scheduler is None:  # the client closed itself after failing to reconnect
                raise ConnectionError("the connection was lost")
            here = set(self._client.sync(self._client.scheduler.ncores, workers=None, callback_timeout=ANSWER))
        except (OSError, TimeoutError) as error:
            raise PlainError(
                f"the Dask scheduler no longer answers: {str(error) or f'not within {ANSWER}'}; what was finished is "
                "kept. Start it, and run again"
            ) from error
        self._looked = time.monotonic()
        lost, self._known = self._known - here, here
        for address in sorted(lost):
            incidents.count(incidents.LOST_WORKERS)
            say(f"a Dask worker was lost: {address}; {left:,} tasks continue on {len(here):,} workers")
        if here or not left:
            self._last_seen, self._said = self._looked, False
        elif self._looked - self._last_seen >= MAX_WAIT:
            raise PlainError(
                f"no Dask worker has been there for {MAX_WAIT:g} s, and {left:,} tasks are left; what was finished is "
                "kept. Start workers (--nthreads 1), and run again"
            )
        elif not self._said:
            say(f"no Dask worker is there; {left:,} tasks wait for one, for {MAX_WAIT:g} s at most")
            self._said = True


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
            client = Client(address, timeout=ANSWER)
        except (OSError, TimeoutError, ValueError) as error:
            raise PlainError(f"execution.address: no Dask scheduler answers at {address}: {error}") from error
        yield cleanup.enter_context(client)


def _on_worker(task: Task, numerics: Numerics) -> Ended:
    """Run a task in a process without other tasks, since PyTorch's settings and the GPU belong to the process.

    Raises:
        PlainError: the worker has several threads, or other arithmetic than the stage.
    """
    from dask.distributed import get_worker

    worker = get_worker()
    if worker.state.nthreads > 1:
        raise PlainError(
            f"execution.address: the Dask worker {worker.address} runs {worker.state.nthreads} tasks at once in one "
            "process: start workers with one thread each (--nthreads 1, or as many processes as cores)"
        )
    if numerics_in_use() != numerics:
        raise PlainError(
            f"numerics: the stage computes with {numerics} arithmetic and the Dask worker {worker.address} with "
            f'{numerics_in_use()}: start workers where `eval "$(m3a numerics)"` has set the environment'
        )
    return on_one_thread(task)
