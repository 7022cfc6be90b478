import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipeline.train import loop
from pipeline.train.assemble import assemble
from pipeline.train.experiment import Experiment
from stages import train
from tests.train.miniature import changed, write_params

ROOT = Path(__file__).resolve().parents[2]
STAGE = ["-m", "stages.train"]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *STAGE]
pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path_factory, miniature, small):
    """A root with the miniature's inputs and a params.yaml, changed where asked."""

    def make(**changes):
        root = tmp_path_factory.mktemp("project")
        shutil.copytree(miniature.root / "data", root / "data")
        write_params(root, changed(small, changes))
        return root

    return make


def start(root, command):
    env = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    env |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, *command], cwd=root, env=env, stderr=subprocess.PIPE, text=True)


def finish(process):
    """Wait for a process that should succeed; returns what it said."""
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said[-3000:]
    return said


def run_here(root):
    """Run the stage in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        train.main()


def outputs(root):
    paths = sorted(path for folder in ("models/m3a", "data/curves") for path in (root / folder).rglob("*.*"))
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(project):
    longer = {"train": {"epochs": 4}, "execution": {"checkpoint_minutes": 1e-9}}
    whole, killed = project(**longer), project(**longer)
    finish(start(whole, STAGE))  # as the other, with the stage's own arithmetic

    process = start(killed, STAGE)
    while not list(killed.glob(f".cache/train/*/{loop.STATE}")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert not (killed / "models/m3a").exists()

    assert "going on from epoch" in finish(start(killed, STAGE))
    assert outputs(killed) == outputs(whole)
    assert not list(killed.glob(".cache/train/*/*"))  # the work folder is gone, its lock's name stays


def test_a_run_does_not_go_on_from_one_on_another_kind_of_device_or_with_other_kernels(
    miniature, design, small, monkeypatch
):
    def key(device, deterministic):
        execution = small.execution.model_copy(update={"device": device, "deterministic": deterministic})
        inputs, train = miniature.inputs, small.train
        given = {"inputs": inputs, "design": design, "train": train, "metrics": {}, "seed": 7, "execution": execution}
        return Experiment(**given).work_key()

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    on_cpu = key("cpu", True)
    assert {key("cpu", False), key("auto", True), key("auto", False)} == {on_cpu}  # a CPU's kernels always are
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert key("cuda", True) == key("auto", True)
    assert len({on_cpu, key("cuda", True), key("cuda", False)}) == 3


@pytest.mark.parametrize("loss", ["bce", "wlsep"])
def test_two_processes_train_as_one_with_the_same_global_batch(project, miniature, design, small, loss):
    """Three steps, batch norm frozen: DistributedDataParallel over gloo against a single process."""
    frozen = {"train": {"epochs": 1, "freeze_batch_norm": True, "loss": loss}}
    one, two = project(**frozen), project(**frozen)
    run_here(one)
    said = finish(start(two, TORCHRUN))
    assert said.count("epoch 1 of 1:") == 1  # the leader alone speaks
    weights = [load_file(root / "models/m3a/model.safetensors") for root in (one, two)]
    start_model, _, _ = assemble(miniature.inputs, design, seed=small.seed)
    assert any((weights[0][name] - before).abs().max() > 1e-3 for name, before in start_model.named_parameters())
    for name in weights[0]:
        torch.testing.assert_close(weights[0][name], weights[1][name], rtol=0.0, atol=1e-5)
