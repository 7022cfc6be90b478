"""`m3a preset`: listed, shown, written, and taken back."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.foundations.params import load_params, presets
from pipeline.foundations.params.editing import edited
from pipeline.foundations.runtime.errors import PlainError
from tests.presets import FOLDER, ROOT, preset_text

run = CliRunner(env={"COLUMNS": "200"})
TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(FOLDER, "params")
    Path("params.yaml").write_text(TEXT, encoding="utf-8")


def asked(*arguments: str) -> str:
    result = run.invoke(app, ["preset", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_each_preset_is_listed_with_a_line():
    lines = asked().splitlines()
    assert [line.split()[0] for line in lines] == presets.names(FOLDER)
    assert "mmit_v1_mini    Mini M-MiT V1: 313 actions, the paper's ablations" in lines


def test_the_diff_shows_each_change_and_writes_nothing():
    lines = asked("charades", "--diff").splitlines()
    assert "model.heads                      [visual, audio, text] -> [visual, text]" in lines
    assert any(line.startswith("backbone.weights") and " null -> https://" in line for line in lines)
    assert len(lines) == len(presets.changes(TEXT, presets.read("charades", FOLDER)))
    assert Path("params.yaml").read_text() == TEXT


def test_a_preset_is_written_with_your_folder_and_taken_back():
    asked("mmit_v1_mini", "--folder", "/mine")
    assert Path("params.yaml").read_text() == preset_text("mmit_v1_mini", {"dataset.folder": "/mine"})
    assert load_params().train.jitter == (128, 160)
    asked("sample", "--overwrite")
    assert Path("params.yaml").read_text() == TEXT


def test_values_changed_by_hand_are_asked_about_in_one_sentence():
    mine = edited(preset_text("mmit_v1_mini"), {"train.batch": 16, "train.flip": 0.0})
    Path("params.yaml").write_text(mine)
    with pytest.raises(PlainError, match=r"^params\.yaml: changed by hand: train\.batch is 16; --keep leaves them"):
        asked("released")
    assert Path("params.yaml").read_text() == mine
    assert " 16 -> 64  (changed by hand)" in asked("released", "--diff")
    asked("released", "--keep")
    assert (load_params().train.batch, load_params().train.flip) == (16, 0.0)
    asked("released", "--overwrite")
    assert (load_params().train.batch, load_params().train.flip) == (64, 0.0)


def test_what_would_not_be_valid_is_not_written():
    Path("params/mine.yaml").write_text("# Mine.\n\ntrain:\n  crop: 100\n")
    with pytest.raises(PlainError, match=r"^params\.yaml: train: jitter \[56, 72\] must rise"):
        asked("mine")
    with pytest.raises(PlainError, match=r"^params/yours\.yaml: no such preset; there are sample, "):
        asked("yours")
    assert Path("params.yaml").read_text() == TEXT
