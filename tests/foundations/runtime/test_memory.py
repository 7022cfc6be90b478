"""Peaks of real processes, each told apart from its parent's and its children's."""

import os
import subprocess
import sys

import pytest

from pipeline.foundations.runtime import memory

HOG = "import sys, pathlib; grown = b'x' * 200_000_000; print('grown', flush=True); sys.stdin.read()"
SMALL = "from pipeline.foundations.runtime import memory; print(memory.peak_mb())"
CHILDLESS = """
import subprocess, sys
from pipeline.foundations.runtime import memory
subprocess.run([sys.executable, "-c", "pass"], check=True)
print(memory.largest_child_mb())
"""
FAULTS = """
import resource, sys
from pipeline.foundations.runtime.memory import keep_freed_blocks
import torch
if sys.argv[1] == "kept":
    assert keep_freed_blocks()
for _ in range(20):  # a freed block fits an aligned request once it has merged with its neighbours
    torch.ones(20_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(20_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.fixture
def hog():
    """A child that has grown by 200 MB and waits."""
    with subprocess.Popen([sys.executable, "-c", HOG], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"grown\n"
        yield child
        child.stdin.close()


@pytest.fixture(autouse=True)
def nobody_reported(monkeypatch):
    monkeypatch.setattr(memory, "_reported", [])
    monkeypatch.setattr(memory, "_workers", {})


def test_a_living_child_counts_with_its_own_peak(hog):
    assert 200 < memory.peak_mb(hog.pid) < 300
    assert memory.largest_child_mb() >= memory.peak_mb(hog.pid)  # workers of other tests may be larger
    assert memory.largest_mb() >= memory.peak_mb(hog.pid)


def test_what_a_worker_told_counts_after_its_end():
    memory.report(1e6, 1e6, 1)
    memory.report(1.0, 1.0, 1)
    assert memory.largest_child_mb() == 1e6


def test_workers_count_together_each_once_and_this_process_by_itself():
    before = memory.together_mb()
    memory.report(300.0, 500.0, 1)
    memory.report(300.0, 400.0, 1)
    memory.report(200.0, 250.0, 2)
    memory.report(1e6, 1e6, os.getpid())
    assert memory.together_mb() == pytest.approx(before + 750, abs=50)


def test_living_children_that_did_not_report_count_with_their_own(hog):
    assert memory.together_mb() > memory.peak_mb() + 200


def test_of_children_that_told_nothing_nothing_is_known(root):
    told = subprocess.run([sys.executable, "-c", CHILDLESS], cwd=root, check=True, capture_output=True, text=True)
    assert told.stdout == "None\n"


def test_a_program_does_not_inherit_its_parents_peak(root):
    ballast = b"x" * 300_000_000
    told = subprocess.run([sys.executable, "-c", SMALL], cwd=root, check=True, capture_output=True, text=True).stdout
    assert float(told) < len(ballast) / 1e6 < memory.peak_mb()


def test_an_ended_process_is_no_number():
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    with pytest.raises(OSError, match=str(ended.pid)):
        memory.peak_mb(ended.pid)


def faults(how):
    """Pages that ten tensors of 80 MB, one after the other, take anew."""
    return int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)


def test_blocks_that_are_kept_are_not_mapped_again():
    assert faults("kept") < faults("given back") / 4  # pages of 4 kB, or of 2 MB where the kernel gives such
