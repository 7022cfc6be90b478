"""Work in shards: kept, made again, locked, and the same bytes whoever does it."""

import functools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from filelock import FileLock

import stages
from pipeline import foundations
from pipeline.foundations.runtime import files, incidents
from pipeline.foundations.runtime import shards as shards_module
from pipeline.foundations.runtime.engines import run_tasks
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.shards import input_key, shards, total
from tests.extras import needs
from tests.namespaces import with_dev_shm

ROOT = Path(__file__).resolve().parents[3]


def square(items, target, *, log: Path, fails: str = ""):
    """A task: a line an item, and a mark that it was done; may fail or die on one item, while a file says so."""
    for item in items:
        with log.open("a") as file:
            file.write(f"{item}\n")
        if fails and item == 5 and log.with_name("broken").exists():
            if fails == "waits":
                time.sleep(30)
            if fails == "dies once":
                log.with_name("broken").unlink()
            if fails.startswith("dies"):
                os.kill(os.getpid(), signal.SIGKILL)
            raise PlainError("item 5: found a fault, expected none")
    target.write_text("".join(f"{item * item}\n" for item in items))
    return {"items": len(items), "odd": sum(item % 2 for item in items)}


@pytest.fixture
def log(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "log"


@pytest.fixture
def work(log, params):
    """Runs the task over ten items in shards of three; returns the joined text and the counts."""

    def run(*, key="k", items=range(10), workers=1, engine="local", **options):
        task = functools.partial(square, log=log, **options)
        execution = params.execution.model_copy(update={"workers": workers, "engine": engine})
        with shards(task, items, stage="s", key=key, size=3, suffix=".txt", execution=execution, label="l") as done:
            return "".join(shard.path.read_text() for shard in done), total(done)

    return run


SQUARES = "".join(f"{n * n}\n" for n in range(10))


def done(log: Path) -> list[int]:
    return sorted(int(line) for line in log.read_text().split())


def folder(log: Path) -> Path:
    return log.parent / ".cache/s/k"


def test_shards_come_in_the_items_order_with_their_counts_and_leave_nothing(work, log):
    assert work() == (SQUARES, {"items": 10, "odd": 5})
    assert done(log) == list(range(10))
    assert not folder(log).exists()


def test_no_item_at_all(work):
    assert work(items=[]) == ("", {})


@pytest.mark.parametrize("workers", [2, 8])
def test_the_number_of_workers_changes_nothing(work, workers):
    assert work(workers=workers) == work(workers=1)


@pytest.mark.slow
@needs("dask")
def test_the_engine_changes_nothing(work, log):
    assert work(engine="dask", workers=2) == work(workers=1)
    log.with_name("broken").touch()
    with pytest.raises(PlainError, match="item 5: found a fault, expected none"):
        work(fails="raises", engine="dask")


@pytest.mark.slow
@needs("dask")
def test_a_scheduler_that_does_not_answer_is_named(params):
    execution = params.execution.model_copy(update={"engine": "dask", "address": "tcp://127.0.0.1:1"})
    with pytest.raises(PlainError, match=r"execution\.address: no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        list(run_tasks([Path], execution))


def test_a_fault_in_a_worker_comes_out_as_it_was(work, log):
    log.with_name("broken").touch()
    with pytest.raises(PlainError, match="item 5: found a fault, expected none"):
        work(fails="raises", workers=2)


def test_after_a_failing_shard_the_earlier_ones_are_kept(work, log):
    log.with_name("broken").touch()
    with pytest.raises(PlainError):
        work(fails="raises")
    assert [path.name[:6] for path in folder(log).glob("000/*.txt")] == ["000000"]
    log.unlink()
    log.with_name("broken").unlink()
    assert work(fails="raises") == (SQUARES, {"items": 10, "odd": 5})
    assert done(log) == list(range(3, 10))


def stopped_half_way(items, target, *, begun: Path):
    """A task: the first item fails once the second has begun, which would take longer than anyone waits."""
    if items[0] == 0:
        while not begun.exists():
            time.sleep(0.01)
        raise PlainError("item 0: found a fault, expected none")
    target.write_text("half")
    begun.touch()
    time.sleep(600)


def test_after_a_failing_shard_what_other_workers_were_at_is_cleared(log, params):
    execution = params.execution.model_copy(update={"workers": 2})
    task = functools.partial(stopped_half_way, begun=log.with_name("begun"))
    arguments = {"stage": "s", "key": "k", "size": 1, "suffix": ".txt", "execution": execution, "label": "l"}
    with pytest.raises(PlainError, match="item 0"), shards(task, range(2), **arguments):
        pass
    assert log.with_name("begun").exists()
    assert {path.suffix for path in folder(log).glob("000/*")} <= {".lock"}


def test_after_a_failure_what_a_worker_elsewhere_is_at_is_let_be(work, log):
    log.with_name("broken").touch()
    draft = folder(log) / "000" / ".000003.txt.draft" / "000003.txt"
    draft.parent.mkdir(parents=True)
    draft.write_text("half")
    held = FileLock(folder(log) / "000" / "000003.txt.lock")
    with held, pytest.raises(PlainError, match="item 5"):
        work(fails="raises")
    assert draft.read_text() == "half"
    with pytest.raises(PlainError, match="item 5"):
        work(fails="raises")
    assert not draft.parent.exists()


@pytest.mark.parametrize("engine", ["local", pytest.param("dask", marks=[pytest.mark.slow, needs("dask")])])
def test_a_worker_that_is_killed_ends_in_a_plain_error_and_the_work_goes_on(work, log, engine):
    log.with_name("broken").touch()
    with pytest.raises(PlainError, match=r"a worker process was killed.*execution\.workers"):
        work(fails="dies", workers=2, engine=engine)
    log.with_name("broken").unlink()
    assert work(fails="dies", workers=2)[0] == SQUARES


@pytest.mark.parametrize("engine", ["local", pytest.param("dask", marks=[pytest.mark.slow, needs("dask")])])
def test_a_worker_that_is_lost_costs_what_was_at_work_and_the_run_ends_well(work, log, engine, capfd, monkeypatch):
    monkeypatch.setattr(incidents, "_counts", Counter())
    log.with_name("broken").touch()
    assert work(fails="dies once", workers=2, engine=engine) == (SQUARES, {"items": 10, "odd": 5})
    again = Counter(done(log))
    assert set(again) == set(range(10))
    assert 5 in {item for item, times in again.items() if times == 2}
    assert max(again.values()) == 2
    assert len({item // 3 for item, times in again.items() if times == 2}) <= 2  # shards: the lost worker's, and one
    said = "a worker process was killed; " if engine == "local" else "a Dask worker was lost: "
    assert said in capfd.readouterr().err
    assert incidents.so_far()["lost_workers"] == 1


def _interrupted(work, log):
    """Leave all four shards of a run whose merge failed."""
    with pytest.MonkeyPatch.context() as context, pytest.raises(TypeError):  # noqa: PT012
        context.setitem(globals(), "total", None)
        work()
    assert sorted(path.name[:6] for path in folder(log).glob("*/*")) == [f"00000{n}" for n in range(4)]
    log.unlink()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)


def _renamed(change):
    def damage(path: Path) -> None:
        path.rename(path.with_name(change(path.name)))

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        _cut,
        _flip,
        Path.unlink,
        _renamed(lambda name: f"{name[:6]}.txt"),
        _renamed(lambda name: name.replace("items=3", "items=")),
        _renamed(lambda name: name.replace("-items=3,odd=1-", "-")),
        _renamed(lambda name: name[:-8] + ".txt"),
    ],
    ids=["cut", "flipped", "gone", "unfinished", "half a count", "no counts", "half a digest"],
)
def test_a_damaged_shard_is_made_again_and_it_alone(work, log, damage):
    _interrupted(work, log)
    damage(next(folder(log).glob("000/000002-*.txt")))
    assert work() == (SQUARES, {"items": 10, "odd": 5})
    assert done(log) == [6, 7, 8]


def test_whole_shards_of_an_earlier_run_are_not_made_again(work, log, capfd):
    _interrupted(work, log)
    assert work() == (SQUARES, {"items": 10, "odd": 5})
    assert not log.exists()


def test_finished_shards_are_one_file_each_in_folders_of_a_thousand(work, log, monkeypatch):
    monkeypatch.setattr(shards_module, "PER_FOLDER", 2)
    with pytest.MonkeyPatch.context() as context, pytest.raises(TypeError):  # noqa: PT012
        context.setitem(globals(), "total", None)
        work()
    names = sorted(str(path.relative_to(folder(log))) for path in folder(log).rglob("*") if path.is_file())
    assert [name[:10] for name in names] == ["000/000000", "000/000001", "001/000002", "001/000003"]
    assert all(re.fullmatch(r"\d{3}/\d{6}-items=\d,odd=\d-[0-9a-f]{64}\.txt", name) for name in names)
    assert work() == (SQUARES, {"items": 10, "odd": 5})


def test_shards_of_an_earlier_run_are_looked_at_side_by_side(work, log, monkeypatch):
    """Each look waits for another at the same time."""
    _interrupted(work, log)
    together = threading.Barrier(2, timeout=20)
    digest = files.sha256
    monkeypatch.setattr(files, "sha256", lambda path: (together.wait(), digest(path))[1])
    assert work(workers=2) == (SQUARES, {"items": 10, "odd": 5})
    assert not log.exists()


def test_another_key_is_other_work(work, log):
    _interrupted(work, log)
    work(key="other")
    assert done(log) == list(range(10))


def test_work_that_another_process_does_is_left_to_it(work, log):
    code = (
        "import sys, time; from pathlib import Path; from filelock import FileLock\n"
        "Path(sys.argv[1]).parent.mkdir(parents=True)\n"
        "with FileLock(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    )
    lock = folder(log).with_name("k.lock")
    with subprocess.Popen([sys.executable, "-c", code, lock], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(PlainError, match="another process is at work there"):
            work()
        other.kill()
    assert work()[0] == SQUARES  # a killed process holds no lock


def test_of_two_experiments_with_the_same_work_each_does_its_own(work, log, monkeypatch, tmp_path):
    lock, copy = folder(log).with_name("k.lock"), tmp_path / "copy"
    copy.mkdir()
    lock.parent.mkdir(parents=True)
    monkeypatch.chdir(copy)
    with FileLock(lock):
        assert work()[0] == SQUARES
    assert [path.name for path in lock.parent.iterdir()] == ["k.lock"]


def test_what_is_finished_stays_locked_until_it_is_removed(work, log):
    with files.keep_work_until_success():
        assert work()[0] == SQUARES
        assert folder(log).exists()
        with pytest.raises(PlainError, match="another process is at work there"):
            work()
    assert not folder(log).exists()
    assert work()[0] == SQUARES


def test_the_lock_is_free_after_a_failure_while_its_error_is_still_held(work, log):
    log.with_name("broken").touch()
    with pytest.raises(PlainError) as first:
        work(fails="raises")
    with pytest.raises(PlainError, match="item 5"):
        work(fails="raises")
    assert "item 5" in str(first.value)


KILLED = """
import functools, sys, time
from pathlib import Path
from pipeline.foundations.params import load_params
from pipeline.foundations.runtime.shards import shards

def slow(items, target):
    for item in items:
        time.sleep(0.05)
    target.write_text("".join(f"{item * item}\\n" for item in items))
    return {}

execution = load_params(Path(sys.argv[1]) / "params.yaml").execution.model_copy(update={"workers": 1})
with shards(slow, range(60), stage="s", key="k", size=3, suffix=".txt", execution=execution, label="l") as done:
    Path("out").write_text("".join(shard.path.read_text() for shard in done))
"""


@pytest.mark.slow
def test_a_killed_process_loses_at_most_the_shard_at_work(log):
    environment = os.environ | {"DVC_ROOT": str(log.parent), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED, ROOT]
    cwd = log.parent
    first = subprocess.Popen(command, env=environment, cwd=cwd)
    while len(list(folder(log).glob("000/*-*.txt"))) < 5:
        time.sleep(0.02)
        assert first.poll() is None
    first.kill()
    first.wait()
    kept = {path: path.stat().st_mtime_ns for path in folder(log).glob("000/*-*.txt")}
    assert 5 <= len(kept) < 20
    second = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=True)
    assert "of 20 shards kept from an earlier run" in second.stderr
    assert (cwd / "out").read_text() == "".join(f"{n * n}\n" for n in range(60))


def test_a_key_names_parameters_items_and_code(params, tmp_path, monkeypatch):
    key = input_key(params.media, ["a", "b"])
    assert key == input_key(params.media, ["a", "b"])
    assert len(key) == 20
    others = [
        input_key(params.media.model_copy(update={"max_pixels": 1}), ["a", "b"]),
        input_key(params.media, ["a", "c"]),
        input_key(params.media, ["a"], ["b"]),
        input_key(params.clips, ["a", "b"]),
    ]
    assert len({key, *others}) == 5
    _change(monkeypatch, foundations.tables.tables, tmp_path)
    assert input_key(params.media, ["a", "b"]) != key


def test_a_key_names_no_code_that_says_only_how(params, tmp_path, monkeypatch):
    key = input_key(params.media, ["a", "b"])
    for module in (files, foundations.params, stages):
        _change(monkeypatch, module, tmp_path)
    assert input_key(params.media, ["a", "b"]) == key


def test_a_raised_revision_of_how_the_work_runs_changes_the_key(params, tmp_path, monkeypatch):
    key = input_key(params.media, ["a", "b"])
    _change(monkeypatch, foundations.tables, tmp_path)
    assert input_key(params.media, ["a", "b"]) != key


def _change(monkeypatch, module, folder):
    """Let a module's file be one with another comment."""
    changed = folder / f"{module.__name__}.py"
    changed.write_text(Path(module.__file__).read_text() + "# changed\n")
    monkeypatch.setattr(module, "__file__", str(changed))


def test_workers_kept_from_another_folder_write_where_they_are_called(work, tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_ROOT")
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert work(workers=2)[0] == SQUARES


WITHOUT_LOCKS = """
from functools import partial
from pathlib import Path
import os, threading
from pipeline.foundations.runtime.engines import run_tasks
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.params import load_params

def task(number):
    assert threading.current_thread() is threading.main_thread()
    return Path(f"{os.getpid()} {number}")

execution = load_params(Path(__import__("sys").argv[1])).execution.model_copy(update={"workers": 2})
tasks = [partial(task, number) for number in range(3)]
made = [str(path) for path in run_tasks(tasks, execution)]
assert made == [f"{os.getpid()} {number}" for number in range(3)], made
try:
    list(run_tasks(tasks, execution.model_copy(update={"engine": "dask"})))
except PlainError as error:
    print(error)
"""


def test_without_locks_between_processes_tasks_run_one_after_the_other(tmp_path):
    """Joblib would run them in threads, side by side, where each changes what PyTorch is set to for all."""
    ended = with_dev_shm(
        "ro", [sys.executable, "-c", WITHOUT_LOCKS, str(ROOT / "params.yaml")], folder=tmp_path, root=ROOT
    )
    assert ended.returncode == 0, ended.stderr
    reason = "/dev/shm, where locks between processes are kept: Read-only file system; "
    assert ended.stderr.count(f"{reason}so tasks run one after the other") == 1
    assert ended.stdout.startswith(f"execution.engine is dask, which starts no workers here: {reason}mount a tmpfs")
