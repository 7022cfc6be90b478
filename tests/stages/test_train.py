import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.foundations.params import load_params
from pipeline.model.checkpoint import load_model
from stages import train
from tests.namespaces import with_dev_shm
from tests.train.miniature import ACTIONS, SMALL, changed, write_inputs, write_params

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path, monkeypatch):
    write_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_stage_leaves_a_model_and_its_curves(root, capfd):
    params = changed(load_params(ROOT / "params.yaml"), SMALL)
    write_params(root, params)
    train.main()
    model, description = load_model(root / "models/m3a")
    assert description.actions == ACTIONS
    assert (description.audio_size, description.text_size) == (384, 5)
    assert not model.training
    assert epochs(root, "train/loss") == ["step", "1", "2", "3"]
    assert epochs(root, "val/map_sample") == ["step", "2", "3"]
    count = sum(parameter.numel() for parameter in model.parameters())
    closing = capfd.readouterr().err.splitlines()[-1]
    assert closing.startswith(f"train: visual + audio + text on r3d_tiny, {count:,} parameters, 12 videos; val/loss ")


def epochs(root, name):
    lines = (root / "data/curves/plots/metrics" / f"{name}.tsv").read_text().splitlines()
    return [line.split("\t")[0] for line in lines]


def test_two_runs_leave_the_same_bytes(root):
    write_params(root, changed(load_params(ROOT / "params.yaml"), SMALL))
    left = []
    for _ in range(2):
        train.main()
        files = sorted([*(root / "models/m3a").iterdir(), *(root / "data/curves").rglob("*.*")])
        left.append({path.relative_to(root): path.read_bytes() for path in files})
    assert left[0] == left[1]
    assert len(left[0]) == 2 + 1 + 5  # the model's two, the last figures, and five curves


def test_an_error_is_one_line(root, capfd):
    write_params(root, changed(load_params(ROOT / "params.yaml"), SMALL | {"train": SMALL["train"] | {"batch": 13}}))
    with pytest.raises(SystemExit) as status:
        train.main()
    assert status.value.code == 1
    said = capfd.readouterr().err.splitlines()
    assert said[-1] == "train: error: train.batch is 13, but there are only 12 training videos: lower it or add videos"
    assert not (root / "models/m3a").exists()


LONG = {  # clips of 32 frames: 154 kB a batch, three batches at once
    "frames": SMALL["frames"] | {"span": 32, "count": 32},
    "train": SMALL["train"] | {"epochs": 1, "jitter": (20, 20), "crop": 20},
    "execution": SMALL["execution"] | {"workers": 3},
}


def trained(root, options):
    """The stage as a process of its own, with a tmpfs of these options as /dev/shm: the model's bytes and the log."""
    ended = with_dev_shm(options, [sys.executable, "-m", "stages.train"], folder=root, root=ROOT)
    assert ended.returncode == 0, ended.stderr
    return [path.read_bytes() for path in sorted((root / "models/m3a").iterdir())], ended.stderr


def test_a_dev_shm_too_small_for_the_batches_changes_nothing(root):
    """PyTorch's own collation would put 460 kB of pictures there."""
    write_params(root, changed(load_params(ROOT / "params.yaml"), SMALL | LONG))
    plentiful, log = trained(root, "size=64m")
    assert trained(root, "size=256k")[0] == plentiful
    assert "/dev/shm" not in log


def test_without_locks_the_training_process_decodes_itself_and_says_so_once(root):
    write_params(root, changed(load_params(ROOT / "params.yaml"), SMALL | LONG))
    model, log = trained(root, "ro")
    assert model == trained(root, "size=64m")[0]
    said = "/dev/shm, where locks between processes are kept: Read-only file system; so the training process decodes"
    assert log.count(said) == 1


def test_of_decoding_the_stage_imports_the_declared_module_alone():
    """dvc.yaml names pipeline/foundations/media/scaling.py; the rest of that folder must not decide what it writes."""
    names = "print(*(name for name in sys.modules if name.startswith('pipeline.foundations.media.')))"
    command = [sys.executable, "-c", f"import sys, stages.train; {names}"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["pipeline.foundations.media.scaling"]
