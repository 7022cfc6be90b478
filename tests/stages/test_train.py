from pathlib import Path

import pytest

from pipeline.params import load_params
from pipeline.train.checkpoint import load_model
from stages import train
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
    assert said[-1] == "train: error: train.batch: found 13, and 12 training videos; expected no more"
    assert not (root / "models/m3a").exists()
