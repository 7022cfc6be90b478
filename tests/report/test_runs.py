"""Runs that DVC keeps under a name are read as those in a folder are."""

import shutil
from pathlib import Path

import pytest

from pipeline.foundations.runtime.errors import PlainError
from pipeline.report.baseline import fetch_baseline, set_baseline
from pipeline.report.run_tables import TABLES
from pipeline.report.runs import THIS, read_run
from tests.report.miniature import ACTIONS


def test_a_folder_and_a_revision_are_read_alike(kept, finished, monkeypatch):
    monkeypatch.chdir(kept)
    here, before, there = read_run("."), read_run("before"), read_run(str(finished))
    assert (here.name, before.name, there.name) == (THIS, "before", str(finished))
    assert before.predictions.equals(there.predictions)
    assert not here.predictions.equals(before.predictions)
    assert (here.params["train.epochs"], before.params["train.epochs"]) == (25, 24)
    assert before.actions == ACTIONS
    assert here.curves["train/loss"] == [(1, 0.6), (2, 0.3), (3, 0.2)]
    assert before.curves["train/loss"] == [(1, 0.3), (2, 0.15), (3, 0.1)]


def test_what_dvc_does_not_keep_is_named(kept, monkeypatch):
    monkeypatch.chdir(kept)
    with pytest.raises(PlainError, match=r"nosuch: no folder, and not kept by DVC: .*`dvc exp show` lists"):
        read_run("nosuch")


def test_results_that_left_the_cache_are_no_traceback(kept, tmp_path, monkeypatch):
    shutil.copytree(kept, tmp_path / "bare", ignore=shutil.ignore_patterns("cache"))
    monkeypatch.chdir(tmp_path / "bare")
    with pytest.raises(PlainError, match=r"before: no folder, and not kept by DVC: .*`dvc exp pull`"):
        read_run("before")


def test_outside_a_project_a_name_is_no_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PlainError, match="fc: no folder, and not kept by DVC"):
        read_run("fc")


def test_a_baseline_is_brought_whole_and_named(kept, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(kept)
    target = tmp_path / "baselines/before"
    assert fetch_baseline("before", target) == 3
    assert (target / "models/m3a/model.safetensors").read_bytes() == b"weights"
    assert (target / TABLES["predictions"][1]).read_bytes() == (finished / TABLES["predictions"][1]).read_bytes()

    params = tmp_path / "params.yaml"
    committed = (finished / "params.yaml").read_text()
    params.write_text(committed)
    set_baseline(params, Path("data/baselines/before"))
    before, after = committed.splitlines(), params.read_text().splitlines()
    (changed,) = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed.startswith("  baseline: data/baselines/before ")
    assert "# folder of another run" in changed


def test_a_parameter_file_without_the_knob_is_left_alone(tmp_path):
    params = tmp_path / "params.yaml"
    params.write_text("train:\n  baseline: null\nexplain:\n  videos: 4\n")
    with pytest.raises(PlainError, match=r"explain\.baseline: unknown parameter"):
        set_baseline(params, Path("x"))
    assert "baseline: null" in params.read_text()
