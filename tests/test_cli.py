"""The m3a command as a person meets it."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from pipeline.cli import app, main
from pipeline.nn.heads import FullyConnected
from pipeline.nn.model import MultiActionModel
from pipeline.nn.pooling import Pooling
from pipeline.nn.published import AUTHORS, our_names
from pipeline.nn.resnet3d import ARCHITECTURES, ResNet3d

DATA = Path(__file__).resolve().parent / "data" / "checkpoints"
run = CliRunner(env={"COLUMNS": "100", "TERM": "dumb"})


def test_help_names_each_command_and_its_example():
    listed = run.invoke(app, ["--help"])
    assert listed.exit_code == 0
    assert "convert-weights" in listed.output
    shown = run.invoke(app, ["convert-weights", "--help"])
    assert "Example: m3a convert-weights" in shown.output


def test_an_error_is_one_line_and_status_1(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["m3a", "convert-weights", str(tmp_path / "absent.pth"), "x.safetensors"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("m3a: error: ")
    assert "absent.pth: cannot be read" in error


def test_convert_weights_says_what_became_of_the_tensors(tmp_path):
    """A small fc model by the authors' names, with one tensor that has no place."""
    names = json.loads((DATA / "official_repository.json").read_text())["r3d18_graph_audio_text"]["tensors"]
    state = MultiActionModel(
        ResNet3d(ARCHITECTURES["r3d_tiny"]), Pooling("global"), FullyConnected(128, 5)
    ).state_dict()
    theirs = {name: state[ours] for name, ours in our_names(names, AUTHORS).items() if ours in state}
    theirs |= {"projection.weight": state["head.weight"], "projection.bias": state["head.bias"], "extra": torch.ones(2)}
    torch.save({"model_state": theirs, "epoch": 1}, tmp_path / "c.pyth")

    result = run.invoke(app, ["convert-weights", str(tmp_path / "c.pyth"), str(tmp_path / "w.safetensors")])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].startswith("recognized: multi-action-video, r3d_tiny; sha256 ")
    assert lines[1].startswith(f"mapped: {len(theirs) - 1} tensors")
    assert lines[2:5] == ["left over: extra (2,)", "missing: nothing", "batch norm: eps 1e-05, momentum 0.1"]
    assert "params.yaml, to use its head: model.heads: ['fc']" in lines
