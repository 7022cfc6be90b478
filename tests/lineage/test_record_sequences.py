"""Whatever DVC and git do with results, what is said of them is which run really made them."""

import json
import os
import shutil
import signal
import time

import psutil
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.foundations.params import load_params
from pipeline.foundations.runtime import record_store
from pipeline.foundations.runtime.errors import PlainError
from pipeline.lineage import audit, lock, records, runs
from pipeline.lineage.crate import write_crate
from pipeline.lineage.finished import read_record
from pipeline.lineage.trace import trace
from tests.extras import needs
from tests.lineage.small_project import make

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A project that has run, with its result committed."""
    small = make(tmp_path_factory.mktemp("first"))
    small.run("dvc", "repro")
    small.commit("a run")
    return small


@pytest.fixture
def small(first, tmp_path):
    """A copy of it, with its cache, its remote and its log."""
    shutil.copytree(first.root.parent, tmp_path / "copy", symlinks=True)
    copy = type(first)(tmp_path / "copy/project", tmp_path / "copy/log")
    copy.run("dvc", "remote", "modify", "-q", "store", "url", str(tmp_path / "copy/remote"))
    copy.commit("another remote")
    return copy


def _lines(small, stage, group="record"):
    checks = [
        check for check in audit.audit(small.root, load_params(small.root / "params.yaml")) if check.group == group
    ]
    return next(check for check in checks if check.what.startswith(f"{stage}: "))


def _find(node, label):
    return [node] * (node.label == label) + [found for child in node.children for found in _find(child, label)]


def _said(small, what="map_sample"):
    """The parameters and the run of stage score, as the trace shows them."""
    made = _find(trace(small.root, what), "made by")[0]
    assert made.detail == "score"
    params = {node.label: json.loads(node.detail) for node in _find(made, "parameters")[0].children}
    return params.get("evaluate.combine"), _find(made, "run")[0].detail


def _revert(small):
    small.run("git", "checkout", "--", "params.yaml", "dvc.lock", "data/metrics.json")


def test_a_run_leaves_a_record_of_each_stage_that_git_would_commit_with_the_lock(small):
    small.check()
    assert {_lines(small, stage).green for stage in ("draw", "fit", "score")} == {True}
    tracked = small.run("git", "ls-files", "data/runs").split()
    assert tracked == [f"data/runs/{stage}.jsonl" for stage in ("draw", "fit", "score")]


def test_an_experiment_that_was_left_again(small):
    _, before = _said(small)
    small.run("dvc", "exp", "run", "-S", "evaluate.combine=mean")
    small.check()
    combine, during = _said(small)
    assert combine == "mean"
    assert during != before
    _revert(small)
    small.check()  # before DVC restores the files, they are the experiment's
    assert "not what dvc.lock names: data/predictions" in _said(small, "data/predictions")[1]
    small.run("dvc", "checkout")
    small.check()
    assert _said(small) == ("max", before)
    assert _lines(small, "score").green


def test_a_value_that_was_set_and_set_back(small):
    small.set(adjacency__threshold=0.5)
    small.run("dvc", "repro")
    small.check()
    runs_before = len(small.ran())
    small.set(adjacency__threshold=0.4)
    assert "is cached - skipping run" in small.run("dvc", "repro")
    assert len(small.ran()) == runs_before
    small.check()
    assert _said(small)[0] == "max"


def test_a_forced_run_that_makes_the_same_leaves_git_as_it_was(small):
    before = len(small.ran())
    small.run("dvc", "repro", "--force")
    assert len(small.ran()) == before + 3
    assert small.run("git", "status", "--porcelain") == ""
    small.check()


def test_a_clone_that_runs_everything_itself_leaves_git_as_it_was(small):
    other = small.clone("other")
    other.run("dvc", "repro")
    assert other.run("git", "status", "--porcelain") == ""
    other.check()
    assert _said(other)[1] != _said(small)[1]


@needs("crate")
def test_records_travel_with_push_and_pull(small, tmp_path):
    small.run("dvc", "push")
    other = small.clone("other")
    other.run("dvc", "pull")
    other.check()
    assert _said(other) == _said(small)
    assert [_lines(other, stage) for stage in ("draw", "fit", "score")] == [
        _lines(small, stage) for stage in ("draw", "fit", "score")
    ]
    for clone in (small, other):
        write_crate(clone.root, tmp_path / clone.root.name)
    files = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / small.root.name, tmp_path / other.root.name)
    ]
    assert files[0] == files[1]


def test_a_fresh_clone_that_pulls_while_it_reproduces(small):
    small.run("dvc", "push", "--run-cache")
    other = small.clone("other")
    before = len(small.ran())
    other.run("dvc", "repro", "--pull")
    assert len(small.ran()) == before
    other.check()
    assert other.run("git", "status", "--porcelain") == ""


def test_three_queued_experiments_one_applied_and_branches(small):
    for combine, batch in (("mean", 30), ("mean", 20), ("max", 10)):
        small.run("dvc", "exp", "run", "--queue", "-n", f"{combine}-{batch}", "-S", f"evaluate.combine={combine}",
                  "-S", f"evaluate.batch={batch}")  # fmt: skip
    before = len(small.ran())
    small.run("dvc", "exp", "run", "--run-all")
    small.run("dvc", "queue", "stop", "--kill", check=False)
    assert len(small.ran()) == before + 3
    small.check()
    small.run("dvc", "exp", "apply", "mean-20")
    small.check()
    assert _said(small)[0] == "mean"
    names = {run.experiment: run for run in runs.read_runs(small.root)}
    assert {"mean-30", "mean-20", "max-10"} <= names.keys()
    assert names["mean-20"].params["evaluate.batch"] == 20
    small.run("git", "stash", "-q")
    small.run("dvc", "exp", "branch", "max-10", "tried")
    small.run("git", "checkout", "-q", "tried")
    small.run("dvc", "checkout")
    small.check()
    small.run("git", "checkout", "-q", "main")
    small.run("dvc", "checkout")
    small.check()
    small.run("dvc", "exp", "apply", "mean-30")
    small.check()


def test_an_experiments_record_is_in_its_commit(small):
    small.run("dvc", "exp", "run", "--temp", "-n", "apart", "-S", "evaluate.combine=mean")
    shutil.rmtree(record_store.folder(small.root))  # as in a clone that only fetched the experiment
    small.run("dvc", "exp", "apply", "apart")
    small.check()
    assert _said(small)[0] == "mean"


def test_an_old_commits_result_has_its_record_in_gits_history(small):
    small.set(evaluate__combine="mean")
    small.run("dvc", "repro")
    (small.root / "data/runs/score.jsonl").write_text("")  # somebody has cleared it since
    small.commit("another")
    small.run("dvc", "push", "-A")
    other = small.clone("other")
    other.run("git", "checkout", "-q", "HEAD~1", "--", "dvc.lock", "params.yaml", "data/metrics.json")
    other.run("dvc", "pull")
    other.check()
    assert _said(other)[0] == "max"


def test_garbage_collected_and_restored(small):
    small.run("dvc", "push")
    small.set(evaluate__combine="mean")
    small.run("dvc", "repro")
    small.run("dvc", "gc", "--workspace", "--force")
    small.check()
    _revert(small)
    small.run("dvc", "pull")
    small.check()
    assert _said(small)[0] == "max"
    assert record_store.folder(small.root).is_dir()


def test_a_killed_run_is_told_and_is_nobodys_result(small, tmp_path):
    hung = tmp_path / "hung"
    small.set(adjacency__threshold=0.6)
    process = small.start("dvc", "repro", SMALL_HANG="fit", SMALL_HUNG=str(hung))
    end = time.monotonic() + 60
    while not hung.exists() and time.monotonic() < end:
        time.sleep(0.1)
    at_work = runs.read_runs(small.root)[-1]
    assert at_work.outcome == "running"
    for each in (process.pid, at_work.records[-1]["process"]):  # a stage outlives its DVC
        os.kill(each, signal.SIGKILL)
    process.wait()
    while psutil.pid_exists(at_work.records[-1]["process"]):
        time.sleep(0.05)
    last = runs.read_runs(small.root)[-1]
    assert (last.outcome, last.records[-1]["stage"]) == ("killed", "fit")
    small.check()
    (small.root / ".dvc/tmp/lock").unlink(missing_ok=True)
    small.run("dvc", "repro")
    small.check()
    assert [run.outcome for run in runs.read_runs(small.root)][-2:] == ["killed", "finished"]


def test_two_clones_with_one_cache(small):
    other = small.clone("other")
    other.run("dvc", "cache", "dir", "--local", str(small.root / ".dvc/cache"))
    other.run("dvc", "checkout")
    small.set(adjacency__threshold=0.7)
    small.run("dvc", "repro")
    before = len(small.ran())
    other.set(adjacency__threshold=0.7)
    other.run("dvc", "repro")
    assert len(small.ran()) == before
    other.check()
    small.check()
    assert _said(other)[1] == _said(small)[1]


def test_without_its_record_a_result_is_said_to_be_made_elsewhere(small, monkeypatch):
    shutil.rmtree(record_store.folder(small.root))
    (small.root / "data/runs/score.jsonl").unlink()
    small.commit("without")
    small.run("git", "commit", "-q", "--amend", "-m", "x")
    shutil.rmtree(small.root / ".git")
    assert _said(small)[1] == records.ABSENT
    check = _lines(small, "score")
    assert (check.green, check.finding) == (False, records.ABSENT)
    assert _lines(small, "fit").green
    with pytest.raises(PlainError, match="score: made elsewhere; record absent"):
        read_record(small.root, lock.read_stages(small.root)["score"])
    monkeypatch.chdir(small.root)
    assert "its result was made elsewhere; record absent" in CliRunner().invoke(app, ["why", "score"]).stdout


def test_a_record_that_was_edited_is_none(small):
    path = small.root / "data/runs/fit.jsonl"
    shutil.rmtree(record_store.folder(small.root))
    assert '"adjacency.threshold": 0.4' in path.read_text()
    path.write_text(path.read_text().replace('"adjacency.threshold": 0.4', '"adjacency.threshold": 0.3'))
    stage = lock.read_stages(small.root)["fit"]
    assert all(not records.is_intact(record) for record in record_store.read(small.root, "fit"))
    found = records.record_of(small.root, stage)
    assert found is not None, "the committed one is in git's history"
    assert found["params"] == {"adjacency.threshold": 0.4}


def test_an_input_that_changed_while_a_stage_ran_makes_its_record_red(small, tmp_path):
    hung = tmp_path / "hung"
    path = small.root / "data/external/given.txt"
    path.write_text("once\n")
    process = small.start("dvc", "repro", "draw", SMALL_HANG="draw", SMALL_HUNG=str(hung))
    while not hung.exists():
        time.sleep(0.1)
    path.write_text("twice\n")
    os.utime(path, (time.time() + 5, time.time() + 5))
    hung.unlink()
    assert process.wait(120) == 0
    check = _lines(small, "draw")
    assert not check.green
    assert "changed while it ran, so it may have read another version: data/external" in check.finding


def test_a_failed_run_keeps_its_log_and_is_nobodys_result(small, monkeypatch):
    small.set(evaluate__combine="mean")
    small.run("dvc", "repro", check=False, SMALL_FAIL="score")
    last = runs.read_runs(small.root)[-1]
    assert (last.outcome, last.records[-1]["exit"]) == ("failed", 1)
    monkeypatch.chdir(small.root)
    assert "RuntimeError: as told" in CliRunner().invoke(app, ["runs", "--log", "last"]).stdout
    _revert(small)
    small.run("dvc", "checkout")
    small.check()


def test_what_people_changed_is_listed_and_what_dvc_wrote_is_not(small):
    small.set(evaluate__combine="mean")
    small.run("dvc", "repro")
    (small.root / "stages/score.py").write_text((small.root / "stages/score.py").read_text() + "# edited\n")
    small.run("dvc", "repro")
    record = records.record_of(small.root, lock.read_stages(small.root)["score"])
    assert record["git"]["changed"] == ["params.yaml", "stages/score.py"]


def test_runs_are_listed_compared_and_their_logs_shown(small, monkeypatch):
    small.run("dvc", "exp", "run", "-n", "averaged", "-S", "evaluate.combine=mean")
    _revert(small)
    small.run("dvc", "checkout")
    monkeypatch.chdir(small.root)

    def m3a(*command):
        done = CliRunner().invoke(app, ["runs", *command])
        assert done.exit_code == 0, done.output
        return done.stdout

    listed = m3a().splitlines()
    assert len(listed) == 3
    assert "averaged" in listed[2]
    assert "evaluate.combine=mean" in listed[2]
    assert "evaluate.combine" not in listed[1]
    earlier, later = json.loads(m3a("--json"))
    assert (earlier["stages"], later["stages"]) == (["draw", "fit", "score"], ["score"])
    assert later["differ"] == {"evaluate.combine": "mean"}
    lines = m3a("--diff", earlier["run"], "averaged").splitlines()
    assert "parameter score: evaluate.combine: max -> mean" in lines
    assert f"metric    map_sample: {earlier['metrics']['map_sample']} -> {later['metrics']['map_sample']}" in lines
    assert any(line.startswith("output    score: data/predictions: ") for line in lines)
    assert not any("adjacency" in line for line in lines)
    assert "score: made with ['mean', 30]" in m3a("--log", "last")
    assert m3a("--log", f"{earlier['run']}:fit").splitlines()[1:] == ["fit: made with [0.4]"]
    assert "fit" in m3a(earlier["run"])
    refused = CliRunner().invoke(app, ["runs", "--diff", "nothing", "last"])
    assert refused.exit_code == 1
