"""Runs that DVC keeps under a name are read as those in a folder are."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline import tables
from pipeline.errors import PlainError
from pipeline.report.baseline import bring, name_it
from pipeline.report.evidence import TABLES
from pipeline.report.runs import THIS, read_run
from tests.house.clones import environment
from tests.report.miniature import ACTIONS


def _git(root, *command):
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *who, *command], cwd=root, check=True, capture_output=True, env=environment())


@pytest.fixture(scope="module")
def kept(finished, tmp_path_factory) -> Path:
    """A project whose tag `before` has other predictions and settings than its folder; DVC's cache holds both."""
    from dvc.repo import Repo

    root = tmp_path_factory.mktemp("kept") / "project"
    shutil.copytree(finished, root, ignore=shutil.ignore_patterns("dvc.yaml"))
    (root / "models/m3a/model.safetensors").write_bytes(b"weights")
    _git(root, "init", "-q")
    with Repo.init(str(root)) as repo:
        outputs = ["data/predictions", "data/curves", "data/index", "models/m3a"]
        repo.add([str(root / output) for output in outputs])
        _git(root, "add", "-A", ".")
        _git(root, "commit", "-qm", "before")
        _git(root, "tag", "before")
        path = root / TABLES["predictions"][1]
        rows = [row | {"scores": [0.5] * len(ACTIONS)} for row in tables.read("predictions", path).to_pylist()]
        tables.write("predictions", path, tables.from_rows("predictions", [tuple(row.values()) for row in rows]))
        params = root / "params.yaml"
        params.write_text(params.read_text().replace("epochs: 24", "epochs: 25"))
        repo.add([str(root / "data/predictions")])
    return root


def test_a_folder_and_a_revision_are_read_alike(kept, finished, monkeypatch):
    monkeypatch.chdir(kept)
    here, before, there = read_run("."), read_run("before"), read_run(str(finished))
    assert (here.name, before.name, there.name) == (THIS, "before", str(finished))
    assert before.predictions.equals(there.predictions)
    assert not here.predictions.equals(before.predictions)
    assert (here.params["train.epochs"], before.params["train.epochs"]) == (25, 24)
    assert before.actions == ACTIONS
    assert before.curves == there.curves
    assert before.curves["train/loss"] == [(1, 0.7), (2, 0.4), (3, 0.3)]


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
    assert bring("before", target) == 3
    assert (target / "models/m3a/model.safetensors").read_bytes() == b"weights"
    assert (target / TABLES["predictions"][1]).read_bytes() == (finished / TABLES["predictions"][1]).read_bytes()

    params = tmp_path / "params.yaml"
    committed = (finished / "params.yaml").read_text()
    params.write_text(committed)
    name_it(params, target)
    before, after = committed.splitlines(), params.read_text().splitlines()
    (changed,) = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed.startswith(f"  baseline: {target}")
    assert "# folder of another run" in changed


def test_a_parameter_file_without_the_knob_is_left_alone(tmp_path):
    params = tmp_path / "params.yaml"
    params.write_text("train:\n  baseline: null\nexplain:\n  videos: 4\n")
    with pytest.raises(PlainError, match=r"explain\.baseline: missing parameter"):
        name_it(params, Path("x"))
    assert "baseline: null" in params.read_text()
