"""Timing: medians of repeats, by a clock that the test turns."""

import os

import pytest
import torch

from pipeline.bench.measure import by_rate, by_time, cores, rates


class Clock:
    """A time that passes only while work is done."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: list[float], items: int, log: list[str], name: str):
        def run() -> int:
            self.now += seconds.pop(0)
            log.append(name)
            return items

        return run


@pytest.fixture
def found():
    clock, log = Clock(), []
    works = {
        "ours": clock.work([99.0, 1.0, 2.0, 4.0], 8, log, "ours"),
        "peer": clock.work([99.0, 4.0, 10.0, 8.0], 8, log, "peer"),
    }
    return rates(works, repeats=3, clock=clock), log


def test_rates_are_items_a_second_of_each_repeat_after_a_warm_up_that_does_not_count(found):
    assert found[0] == {"ours": [8.0, 4.0, 2.0], "peer": [2.0, 0.8, 1.0]}


def test_turns_go_to_and_fro(found):
    assert found[1] == ["ours", "peer", "ours", "peer", "peer", "ours", "ours", "peer"]


def test_a_comparison_is_of_medians_and_each_repeat_with_its_own(found):
    assert by_rate(found[0]) == (4.0, 1.0, 4.0, 2.0, 5.0, 3)


def test_in_seconds_the_ratio_is_the_other_way_round(found):
    assert by_time(found[0]) == (0.25, 1.0, 0.25, 0.2, 0.5, 3)


def test_work_is_held_to_some_cores_and_afterwards_no_more():
    before, threads = os.sched_getaffinity(0), torch.get_num_threads()
    with cores(1):
        assert len(os.sched_getaffinity(0)) == 1
        assert torch.get_num_threads() == 1
    assert os.sched_getaffinity(0) == before
    assert torch.get_num_threads() == threads
