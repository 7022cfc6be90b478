"""Which GPU a worker takes, tried with real processes; the GPUs themselves are names here, since there may be none."""

import functools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pipeline.foundations.runtime import devices
from pipeline.foundations.runtime.devices import Devices, choose_device, devices_of, gpu_names, take
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import said
from pipeline.foundations.runtime.shards import shards
from tests.extras import needs

ROOT = Path(__file__).resolve().parents[3]
MAX_WAIT = 60.0
"""Seconds within which a second worker has begun."""


@pytest.fixture(autouse=True)
def _nothing_is_held() -> Iterator[None]:
    """This process keeps nothing from one test to the next."""
    yield
    while devices._held:
        devices._held.popitem()[1].release()


@pytest.fixture
def two_gpus(monkeypatch, tmp_path):
    """Two GPUs in the eyes of torch; work in progress below the test's own folder."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices.socket, "gethostname", lambda: "node1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid=f"uuid{number}"))


def changed(params, **changes):
    return params.execution.model_copy(update=changes)


def test_cuda_that_is_not_there_is_a_plain_error(params, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    for ask in (choose_device, lambda device: devices_of(changed(params, device=device))):
        with pytest.raises(PlainError, match=r"execution\.device is cuda, but PyTorch sees no GPU"):
            ask("cuda")


@pytest.mark.parametrize(
    ("asked", "device", "held"), [(True, "cuda", True), (False, "cuda", False), (False, "cpu", True)]
)
def test_a_gpu_alone_may_take_its_fastest_kernels_and_the_log_says_so(params, two_gpus, asked, device, held):
    before = len(said())
    assert devices_of(changed(params, deterministic=asked, device=device)).deterministic == held
    assert ["gives other last bits" in line for line in said()[before:]] == ([] if held else [True])


def test_cuda_is_used_where_it_is_there_unless_told_otherwise(params, two_gpus):
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda", 0)
    assert choose_device("auto", 1) == torch.device("cuda", 1)  # torchrun's second
    assert choose_device("cpu") == torch.device("cpu")
    assert devices_of(changed(params, device="auto")).kind == "cuda"
    assert devices_of(changed(params, device="cpu")).own() == torch.device("cpu")


def test_a_gpu_has_one_worker_and_the_cpu_as_many_as_params_say(params, two_gpus):
    execution = changed(params, workers=8, gpus=2, device="auto")
    assert devices_of(execution).shared_by(execution).workers == 2
    execution = changed(params, workers=8, gpus=2, device="cpu")
    assert devices_of(execution).shared_by(execution).workers == 8


def test_more_gpus_than_there_are_is_a_plain_error(params, two_gpus):
    with pytest.raises(PlainError, match=r"execution\.gpus is 3, but PyTorch sees 2 here: lower it"):
        devices_of(changed(params, gpus=3, device="cuda"))


def test_a_cluster_that_is_there_has_gpus_of_its_own(params, monkeypatch):
    """A login node has none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    joined = changed(params, engine="dask", address="tcp://node0:8786", gpus=4)
    assert devices_of(joined.model_copy(update={"device": "cuda"})).kind == "cuda"
    assert devices_of(joined.model_copy(update={"device": "auto"})).kind == "cpu"
    with pytest.raises(PlainError, match="PyTorch sees no GPU here"):
        devices_of(joined.model_copy(update={"device": "cuda", "address": None}))


def test_a_worker_takes_the_first_gpu_and_keeps_it(two_gpus, tmp_path):
    mine = Devices("cuda", 2, tmp_path)
    assert mine.own() == mine.own() == torch.device("cuda", 0)
    assert [path.name for path in tmp_path.iterdir()] == ["node1-uuid0.lock"]


def test_the_gpus_of_a_worker_without_any_are_none(two_gpus, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(PlainError, match="PyTorch sees no GPU on node1, where a worker runs"):
        Devices("cuda", 1, tmp_path).own()


def test_a_gpu_goes_by_what_it_is_and_a_part_of_one_by_what_shows_it(two_gpus, monkeypatch):
    """dask-cuda and SLURM show each process its own as number 0; parts of one (MIG) have one UUID between them."""
    assert gpu_names(1) == ["node1-uuid0"]
    assert gpu_names(8) == ["node1-uuid0", "node1-uuid1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    assert gpu_names(2) == ["node1-uuid0", "node1-uuid1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-GPU-8a/1/0")
    assert gpu_names(1) == ["node1-uuid0-MIG-GPU-8a_1_0"]


HOLDER = """
import sys
from pathlib import Path
from pipeline.foundations.runtime.devices import take
print(take(Path(sys.argv[1]), sys.argv[2:], patience=0.0), flush=True)
sys.stdin.read()
"""


def holder(locks: Path, *names: str) -> subprocess.Popen[str]:
    """A process that takes one of the names, and lives on."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, locks, *names],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def test_processes_take_different_ones_and_a_killed_one_leaves_its_own(tmp_path):
    with holder(tmp_path, "a", "b") as first:
        assert first.stdout.readline() == "0\n"
        with holder(tmp_path, "a", "b") as second:
            assert second.stdout.readline() == "1\n"
            with holder(tmp_path, "a", "b") as third:
                assert "execution.gpus: all 2 GPUs" in third.communicate()[1]
            assert third.returncode == 1
            with pytest.raises(PlainError, match=r"all 2 GPUs that a worker on .* may use have a worker already"):
                take(tmp_path, ["a", "b"], patience=0.3)
            second.kill()
            assert take(tmp_path, ["a", "b"]) == 1
            assert take(tmp_path, ["x", "b", "a"]) == 1  # the one that it has, wherever it stands
        first.kill()


def note(items, target, *, locks: Path):
    """A task: which of two GPUs this worker has; it ends once both are taken, however late the other worker begins."""
    number = take(locks, ["a", "b"])
    end = time.monotonic() + MAX_WAIT
    while not (locks / "b.lock").exists() and time.monotonic() < end:
        time.sleep(0.05)
    target.write_text(f"{os.getpid()} {number}\n")
    return {}


@pytest.mark.parametrize("engine", ["local", pytest.param("dask", marks=[pytest.mark.slow, needs("dask")])])
def test_each_worker_has_a_gpu_of_its_own(params, tmp_path, monkeypatch, engine):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    task = functools.partial(note, locks=tmp_path / "gpus")
    how = changed(params, engine=engine, workers=2)
    with shards(task, range(12), stage="s", key="k", size=1, suffix=".txt", execution=how, label="l") as done:
        pairs = {tuple(shard.path.read_text().split()) for shard in done}
    assert {gpu for _, gpu in pairs} == {"0", "1"}
    assert len(pairs) == len({worker for worker, _ in pairs}) == 2
