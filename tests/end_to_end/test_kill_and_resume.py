"""Long stages, killed at random moments and run again: as if nothing had happened (DESIGN.md, invariant 5)."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pipeline.foundations.runtime.interrupts import INTERRUPTED
from pipeline.foundations.tables.seeds import generator
from tests.end_to_end.clones import PipelineRun
from tests.end_to_end.kill_and_resume import LONG, WORKERS, KilledStage, Left

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline_run")]

MOMENTS = 20
CHAIN = 5
"""Kills in a row before a run may end: each goes on from what the one before left."""
STOPPED = "stopped; what was finished is kept, and the next run goes on from there"


@pytest.fixture
def killed_stage(pipeline_run: PipelineRun, tmp_path: Path):
    """A copy of the finished pipeline for one stage."""
    with TemporaryDirectory() as short:  # multiprocessing's sockets are there, whose paths have 107 bytes at most
        yield lambda stage: KilledStage(pipeline_run, stage, tmp_path / stage, temporary=Path(short, stage))


def kept(said: str) -> int:
    """How many shards a run says it had from an earlier one."""
    lines = [line for line in said.splitlines() if "kept from an earlier run" in line]
    return int(lines[0].split(": ")[1].split()[0].replace(",", "")) if lines else 0


def follows(killed_stage: KilledStage, left: Left, said: str) -> None:
    """The next run kept every finished shard, so that what was begun is all that was lost."""
    assert len(left.begun) <= WORKERS
    if killed_stage.stage == "train":
        assert ("going on from epoch" in said) == bool(left.whole)
    elif killed_stage.stage != "render":
        assert kept(said) == len(left.whole)


def begin(shop: KilledStage):
    """Run a stage until something is finished that the next run should keep, and hold it there, for SIGCONT."""
    while True:
        process = shop.start()
        while not shop.has_begun():
            assert process.poll() is None, shop.said.read_text()
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGSTOP)
        if shop.has_begun():
            return process
        os.killpg(process.pid, signal.SIGCONT)  # it had ended its work already: on a busy machine we look too late
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("stage", "whom"),
    [("filter_silent", "group"), ("prepare_clips", "parent"), ("evaluate", "group")],  # train: tests/train
)
def test_a_stage_that_is_killed_goes_on_and_makes_the_same_bytes(killed_stage, stage, whom):
    shop = killed_stage(stage)
    process = begin(shop)
    os.killpg(process.pid, signal.SIGCONT)
    left = shop.kill(process, whom)
    assert left.whole
    follows(shop, left, shop.finish())
    shop.check()


def test_ctrl_c_stops_within_seconds_with_one_sentence_and_keeps_what_is_finished(killed_stage):
    shop = killed_stage("filter_silent")
    process = begin(shop)
    interrupt(shop, process)
    assert shop.said.read_text().splitlines()[-1] == f"filter_silent: {STOPPED}"
    left = shop.left()
    assert left.whole
    follows(shop, left, shop.finish())
    shop.check()


def interrupt(shop: KilledStage, process) -> None:
    """Ctrl-C, as a terminal sends it to the whole group; within five seconds all is over, without a trace."""
    os.killpg(process.pid, signal.SIGINT)
    os.killpg(process.pid, signal.SIGCONT)  # where it was held
    if process.wait(5) != INTERRUPTED:  # it had ended its work, and was on its way out
        assert process.returncode in (0, -signal.SIGINT)
        assert shop.made() == shop.undisturbed
    said = shop.said.read_text()
    assert "Traceback" not in said, said
    assert "Warning" not in said, said
    assert shop.wait_for(lambda: not shop.running()), shop.running()


def test_a_second_run_of_a_stage_is_turned_away_and_the_first_goes_on(killed_stage):
    """As after a DVC that was killed: its stage works on, and another DVC starts the same."""
    shop = killed_stage("filter_silent")
    first = begin(shop)
    second = subprocess.run(shop.command, cwd=shop.root, capture_output=True, text=True)
    os.killpg(first.pid, signal.SIGCONT)
    assert second.returncode == 1
    assert "error: .cache/filter_silent.lock: another process runs stage filter_silent" in second.stderr
    assert first.wait(60) == 0
    shop.check()


def test_a_shard_that_is_edited_after_a_kill_is_made_again(killed_stage):
    shop = killed_stage("filter_silent")
    left = shop.kill(begin(shop), "group")
    shard = next(path for name in left.whole for path in shop.root.glob(f".cache/filter_silent/*/*/{name}"))
    content = shard.read_bytes()
    shard.write_bytes(content.replace(b"audible", b"audibly"))
    assert shard.read_bytes() != content
    assert kept(shop.finish()) == len(left.whole) - 1
    shop.check()


def wait_for_moment(shop: KilledStage, process, length: float, number: int, purpose: str) -> None:
    """Turn by turn: any time of the run's length; or soon after it has finished something that it had not."""
    share = generator(0, shop.stage, purpose, number).uniform(0.1, 1.0)
    if number % 2:
        before = shop.left().whole if shop.stage not in ("train", "render") else set()
        while process.poll() is None and not (shop.left().whole - before):
            time.sleep(0.01)
        share /= 20  # much of a short run goes into loading libraries
    with suppress(subprocess.TimeoutExpired):
        process.wait(share * length)


@pytest.mark.soak
@pytest.mark.parametrize("whom", ["group", "parent"])
@pytest.mark.parametrize("stage", LONG)
def test_twenty_kills_at_random_moments(killed_stage, stage, whom):
    shop = killed_stage(stage)
    began = time.monotonic()
    shop.finish()
    length = time.monotonic() - began
    shop.check()
    for moment in range(MOMENTS):
        process = shop.start()
        wait_for_moment(shop, process, length, moment, whom)
        left = shop.kill(process, whom)
        assert len(left.begun) <= WORKERS
        assert shop.made().items() <= shop.undisturbed.items()  # whole, or absent
        if moment % CHAIN == CHAIN - 1:
            follows(shop, left, shop.finish())
            shop.check()


@pytest.mark.soak
@pytest.mark.parametrize("stage", LONG)
def test_ten_interrupts_at_random_moments(killed_stage, stage):
    """From the first line of the stage's own on; before that, Python itself has not begun."""
    shop = killed_stage(stage)
    began = time.monotonic()
    shop.finish()
    length = time.monotonic() - began
    for moment in range(MOMENTS // 2):
        process = shop.start()
        wait_for_moment(shop, process, length, moment, "interrupt")
        if process.poll() is None:
            interrupt(shop, process)
    left = shop.left()
    follows(shop, left, shop.finish())
    shop.check()
