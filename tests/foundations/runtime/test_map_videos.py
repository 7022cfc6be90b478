from pathlib import Path

import pytest

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.map_videos import Failures, map_videos


def odd_ones_fail(numbers, target):
    """A task: a line a number, and the count of those that are odd."""
    target.write_text("".join(f"{number}\n" for number in numbers))
    return {"failed": sum(number % 2 for number in numbers)}


def odd_ones(shard: Path):
    return ((f"v{line}", "is odd") for line in shard.read_text().split() if int(line) % 2)


@pytest.fixture
def mapped(params, tmp_path, monkeypatch):
    """Maps over seven numbers in shards of two; returns what the shards hold."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))

    def run(allowed):
        execution = params.execution.model_copy(update={"workers": 1})
        how = {"stage": "numbers", "key": "k", "size": 2, "suffix": ".txt", "execution": execution, "label": "counting"}
        with map_videos(odd_ones_fail, range(7), **how, failed=Failures("failed", odd_ones, allowed, "a.rate")) as done:
            return [shard.path.read_text().split() for shard in done]

    return run


def test_shards_come_in_the_order_of_the_videos(mapped):
    assert mapped(0.5) == [["0", "1"], ["2", "3"], ["4", "5"], ["6"]]


def test_too_many_failures_stop_it_by_name_and_the_work_is_kept(mapped, tmp_path):
    with pytest.raises(PlainError, match=r"3 of 7 videos failed \(42\.86%\); a\.rate allows 40\.00%") as stopped:
        mapped(0.4)
    assert "v1: is odd" in str(stopped.value)
    assert len(list(tmp_path.glob(".cache/numbers/k/*/*.txt"))) == 4
