"""What a stage leaves behind about its run, whether it ends well or not."""

import os
import stat
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.foundations.runtime import digests, incidents, memory, record, record_store
from pipeline.foundations.runtime.engines import run_tasks
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say
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
    found = record_store.read(folder, "whiten")
    assert len(found) == 1
    return found[0]


def _grow() -> Path:
    return Path(str(len(b"x" * 150_000_000)))


def test_it_tells_when_how_long_with_what_and_what_was_written(folder, params):
    free = params.model_copy(update={"execution": params.execution.model_copy(update={"deterministic": False})})
    with recorded("whiten", free):
        columns = {"action_id": [0], "action": ["x"], "words": [["x"]]}
        tables.write("actions", Path("data/index/actions.parquet"), tables.from_columns("actions", columns))
    found = _read(folder)
    assert (found["stage"], found["outcome"], found["seed"]) == ("whiten", "finished", params.seed)
    assert datetime.fromisoformat(found["started"]) <= datetime.fromisoformat(found["ended"])
    assert found["rows_written"]["data/index/actions.parquet"] == 1
    assert found["versions"]["python"] == sys.version.split()[0]
    assert found["host"]["cpu"]
    assert found["device"] == "cpu"
    assert found["execution"]["deterministic"] is False


def test_a_package_that_is_not_installed_is_left_out(folder, params, monkeypatch):
    monkeypatch.setattr(record, "PACKAGES", ("numpy", "no-such-package"))
    with recorded("whiten", params):
        pass
    found = _read(folder)
    assert found["outcome"] == "finished"
    assert {"python", "numpy", "torch", "joblib"} <= found["versions"].keys()
    assert not {"no-such-package", "ruff", "pytest", "uv"} & found["versions"].keys()


def test_a_stage_without_workers_names_its_own_peak_alone(folder, root):
    own = {**os.environ, "PYTHONPATH": str(root)}  # a process of its own: this one may have children of other tests
    subprocess.run([sys.executable, "-c", WITHOUT_WORKERS, str(root / "params.yaml")], env=own, check=True)
    assert _read(folder)["peak_memory_mb"].keys() == {"self"}


def test_the_largest_worker_is_counted_after_its_end(folder, params):
    execution = params.execution.model_copy(update={"workers": 2})
    with recorded("whiten", params):
        assert [str(path) for path in run_tasks([_grow, _grow], execution)] == ["150000000"] * 2
    peaks = _read(folder)["peak_memory_mb"]
    assert peaks["largest_child"] > 150
    assert peaks["together"] >= peaks["self"] + peaks["largest_child"]


def test_a_failed_run_says_so(folder, params):
    with pytest.raises(ZeroDivisionError), recorded("whiten", params):
        1 / 0  # noqa: B018
    assert _read(folder)["outcome"] == "failed"


def test_of_torchruns_processes_the_first_alone_leaves_a_record(folder, params, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with recorded("whiten", params):
        pass
    assert record_store.read(folder, "whiten") == []
    assert list(folder.iterdir()) == []


DVC_YAML = """\
stages:
  whiten:
    cmd: python -m stages.whiten
    params: [seed, whitening.method]
    deps: [code, "${whitening.path}"]
    outs: [made.txt]
    metrics: [{metrics.json: {cache: false}}]
"""


@pytest.fixture
def declared(folder):
    """The current folder, with a dvc.yaml that has the stage, and what that reads."""
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "params.yaml").write_text("seed: 3\nwhitening: {method: fit, path: given.npz}\n")
    (folder / "code").mkdir()
    (folder / "code/a.py").write_text("A = 1\n")
    (folder / "given.npz").write_bytes(b"given")
    for path in (folder / "code/a.py", folder / "given.npz"):
        os.utime(path, (1, 1))
    return folder


def _work(text="made"):
    Path("made.txt").write_text(text)
    Path("metrics.json").write_text('{"map": 1.5}')


def test_a_finished_run_is_found_by_what_it_read_and_wrote(declared, params):
    with recorded("whiten", params):
        _work()
    found = _read(declared)
    outs = {"made.txt": digests.md5(Path("made.txt")), "metrics.json": digests.md5(Path("metrics.json"))}
    deps = {"code": digests.md5(Path("code")), "given.npz": digests.md5(Path("given.npz"))}
    values = {"seed": 3, "whitening.method": "fit"}
    assert (found["outs"], found["deps"], found["params"]) == (outs, deps, values)
    assert found["key"] == record_store.key_of("whiten", deps, values, outs)
    assert (found["exit"], found["metrics"], found["changed_while_running"]) == (0, {"map": 1.5}, [])


def test_git_gets_one_record_of_each_result_and_the_store_all(declared, params):
    for text in ("made", "made", "other", "made"):
        with recorded("whiten", params):
            _work(text)
    lines = record_store.tracked(declared, "whiten").read_text().splitlines()
    assert len(lines) == 2
    assert len(record_store.read(declared, "whiten")) == 4


def test_a_record_is_read_only_and_nothing_is_left_of_its_beginning(declared, params):
    with recorded("whiten", params):
        _work()
    (file,) = (record_store.folder(declared) / "whiten").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o444


def test_what_changed_meanwhile_is_named(declared, params):
    with recorded("whiten", params):
        _work()
        Path("code/a.py").write_text("A = 2\n")
        os.utime("code/a.py", (time.time() + 1, time.time() + 1))
    assert _read(declared)["changed_while_running"] == ["code"]


def test_an_output_that_is_absent_is_said_to_be(declared, params):
    with recorded("whiten", params):
        Path("made.txt").write_text("alone")
    assert _read(declared)["outs"]["metrics.json"] == "No such file or directory"


def test_it_tells_what_it_cost(declared, params):
    with recorded("whiten", params):
        subprocess.run([sys.executable, "-c", "sum(range(3_000_000)); open('big', 'wb').write(bytes(5_000_000))"])
        _work()
    found = _read(declared)
    assert found["cpu_seconds"]["children"] > 0.02
    assert found["cpu_seconds"]["self"] > 0
    assert found["io_mb"]["written"] >= 5
    assert found["gpus"] == []


def test_what_it_said_is_kept_and_a_long_log_in_part(declared, params, monkeypatch):
    monkeypatch.setattr(record, "LONGEST_LOG", 4)
    with recorded("whiten", params):
        for number in range(10):
            say(f"line {number}")
        _work()
    kept = ["line 0", "line 1", "... 6 lines are not kept ...", "line 8", "line 9"]
    assert _read(declared)["log"] == kept


@pytest.mark.parametrize(
    ("error", "outcome", "last"),
    [
        (PlainError("the disk is full"), ("failed", 1), "error: the disk is full"),
        (ZeroDivisionError("by nothing"), ("failed", 1), "ZeroDivisionError: by nothing"),
        (KeyboardInterrupt(), ("stopped", 130), "begun"),
    ],
)
def test_how_it_ended_is_told_and_why(declared, params, error, outcome, last):
    with pytest.raises(type(error)), recorded("whiten", params):  # noqa: PT012
        say("begun")
        raise error
    found = _read(declared)
    assert (found["outcome"], found["exit"]) == outcome
    assert found["log"][-1] == last
    assert "key" not in found
    assert not record_store.tracked(declared, "whiten").exists()


def test_incidents_are_counted(declared, params, monkeypatch):
    monkeypatch.setattr(incidents, "_counts", Counter())
    with recorded("whiten", params):
        incidents.count(incidents.LOST_WORKERS)
        incidents.add(Counter({incidents.REPEATED_CALLS: 2}))
        _work()
    assert _read(declared)["incidents"] == {"lost_workers": 1, "repeated_decoder_calls": 2}


def test_what_dvc_and_the_record_write_is_no_change_of_gits(declared, params):
    for name in ("dvc.lock", "metrics.json", "data/runs/whiten.jsonl", "other.py", "code/a.py"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("committed\n")
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@e.org", "commit", "-qm", "c"],
    ):
        subprocess.run(["git", *command], check=True)
    revision = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    for name in ("dvc.lock", "metrics.json", "data/runs/whiten.jsonl", "code/a.py", "params.yaml"):
        Path(name).write_text(Path(name).read_text() + " ")
    Path("new.txt").write_text("not tracked")
    with recorded("whiten", params):
        _work()
    assert _read(declared)["git"] == {"revision": revision, "changed": ["code/a.py", "params.yaml"]}


def test_a_store_that_cannot_be_written_costs_the_record_alone(declared, params, capsys):
    record_store.folder(declared).parent.mkdir()
    record_store.folder(declared).write_text("a file is in the way")
    with recorded("whiten", params):
        _work()
    assert "this run leaves no record: " in capsys.readouterr().err
    assert Path("made.txt").exists()
    assert record_store.tracked(declared, "whiten").exists()
