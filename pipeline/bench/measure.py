"""Time two implementations in alternation, so that other load on the machine affects both."""

import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median

import psutil
import torch
from threadpoolctl import threadpool_limits

from pipeline.report.bench_rows import Comparison

Work = Callable[[], int]
"""Does the work once, and says how many items that was."""
Rates = Mapping[str, list[float]]
"""Items a second of each work, repeat by repeat."""


def rates(
    works: Mapping[str, Work], *, repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Run every work once to warm up, then all of them in turn, `repeats` times; items a second.

    Each repeat goes through the works in the other direction than the one before.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for repeat in range(repeats):
        for name in list(works)[:: -1 if repeat % 2 else 1]:
            gc.collect()
            start = clock()
            items = works[name]()
            found[name].append(items / (clock() - start))
    return found


def by_rate(found: Rates, ours: str = "ours", theirs: str = "peer") -> Comparison:
    """Compare in items a second: a ratio of 2 is twice as fast."""
    return _compared(found[ours], found[theirs])


def by_time(found: Rates, ours: str = "ours", theirs: str = "peer") -> Comparison:
    """Compare in seconds an item: a ratio of 2 takes twice as long."""
    return _compared([1 / rate for rate in found[ours]], [1 / rate for rate in found[theirs]])


def _compared(ours: list[float], theirs: list[float]) -> Comparison:
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return Comparison(median(ours), median(theirs), median(ratios), min(ratios), max(ratios), len(ratios))


@contextmanager
def cores(count: int) -> Iterator[None]:
    """Hold this process, and those it has and starts, to `count` cores and the mathematics to as many threads."""
    before = sorted(os.sched_getaffinity(0))
    threads = torch.get_num_threads()
    _hold(before[-count:])
    torch.set_num_threads(count)
    try:
        with threadpool_limits(limits=count):
            yield
    finally:
        torch.set_num_threads(threads)
        _hold(before)


def _hold(chosen: list[int]) -> None:
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        process.cpu_affinity(chosen)
