"""What a stage leaves behind about its run, whether it ends well or not."""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.foundations.runtime import memory, record
from pipeline.foundations.runtime.engines import run_tasks
from pipeline.foundations.runtime.record import recorded
from pipeline.foundations.tables import tables

WITHOUT_WORKERS = """
import subprocess, sys
from pathlib import Path
from pipeline.foundations.params import load_params
from pipeline.foundations.runtime.record import recorded
with recorded("whiten", load_params(Path(sys.argv[1]))):
    subprocess.run([sys.executable, "-c", "pass"], check=True)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(memory, "_reported", [])
    return tmp_path


def _read(folder):
    return json.loads((folder / "data/runs/whiten.json").read_text())


def _grow() -> Path:
    return Path(str(len(b"x" * 150_000_000)))


def test_it_tells_when_how_long_with_what_and_what_was_written(folder, params):
    with recorded("whiten", params):
        columns = {"action_id": [0], "action": ["x"], "words": [["x"]]}
        tables.write("actions", Path("data/index/actions.parquet"), tables.from_columns("actions", columns))
    found = _read(folder)
    assert (found["stage"], found["outcome"], found["seed"]) == ("whiten", "finished", params.seed)
    assert datetime.fromisoformat(found["started"]) <= datetime.fromisoformat(found["ended"])
    assert found["rows_written"]["data/index/actions.parquet"] == 1
    assert found["versions"]["python"] == sys.version.split()[0]
    assert found["host"]["cpu"]
    assert found["device"] == "cpu"


def test_a_package_that_is_not_installed_is_left_out(folder, params, monkeypatch):
    monkeypatch.setattr(record, "PACKAGES", ("numpy", "no-such-package"))
    with recorded("whiten", params):
        pass
    found = _read(folder)
    assert (found["outcome"], found["versions"].keys()) == ("finished", {"python", "numpy"})


def test_a_stage_without_workers_names_its_own_peak_alone(folder, root):
    own = {**os.environ, "PYTHONPATH": str(root)}  # a process of its own: this one may have children of other tests
    subprocess.run([sys.executable, "-c", WITHOUT_WORKERS, str(root / "params.yaml")], env=own, check=True)
    assert _read(folder)["peak_memory_mb"].keys() == {"self"}


def test_the_largest_worker_is_counted_after_its_end(folder, params):
    execution = params.execution.model_copy(update={"workers": 2})
    with recorded("whiten", params):
        assert [str(path) for path in run_tasks([_grow, _grow], execution)] == ["150000000"] * 2
    assert _read(folder)["peak_memory_mb"]["largest_child"] > 150


def test_a_failed_run_says_so(folder, params):
    with pytest.raises(ZeroDivisionError), recorded("whiten", params):
        1 / 0  # noqa: B018
    assert _read(folder)["outcome"] == "failed"


def test_of_torchruns_processes_the_first_alone_leaves_a_record(folder, params, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with recorded("whiten", params):
        pass
    assert not (folder / "data/runs").exists()
