"""Lineage on the command line: two small runs, and the real pipeline in a clone."""

import json
import re
import shutil

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.extras import installed
from pipeline.foundations.tables import tables
from tests.extras import needs

run = CliRunner(env={"COLUMNS": "100", "TERM": "dumb"})
one_process = pytest.mark.xdist_group("pipeline_run")


@pytest.fixture
def runs(tmp_path, root, monkeypatch):
    """Two runs that differ in the second actions table by one word."""
    for name, word in (("here", "a"), ("there", "b")):
        columns = {"action_id": [0], "action": ["x"], "words": [[word]]}
        target = tmp_path / name / "data/index/actions.parquet"
        tables.write("actions", target, tables.from_columns("actions", columns))
    monkeypatch.chdir(tmp_path / "here")
    shutil.copy(root / "params.yaml", tmp_path / "here")
    return tmp_path


def test_two_runs_are_compared_line_by_line_with_a_status_for_scripts(runs):
    same = run.invoke(app, ["audit", "--against", "."])
    assert same.exit_code == 0
    assert same.stdout.splitlines() == [
        "green table       data/index/actions.parquet within 0.0001; exact",
        "all 1 checks are green",
    ]
    other = run.invoke(app, ["audit", "--against", "../there", "--tolerance", "0.5"])
    assert other.exit_code == 1
    assert other.stdout.splitlines() == [
        "red   table       data/index/actions.parquet within 0.5; words differs, first in the row 0",
        "1 of 1 checks are red",
    ]


def test_an_audit_as_json(runs):
    found = run.invoke(app, ["audit", "--against", "../there", "--json"])
    assert found.exit_code == 1
    content = json.loads(found.stdout)
    assert (content["green"], content["red"], len(content["checks"])) == (0, 1, 1)
    assert content["checks"][0]["finding"] == "words differs, first in the row 0"


@pytest.mark.parametrize(
    "command", [["audit"], ["trace", "x"], ["why", "train"], pytest.param(["crate", "out"], marks=needs("crate"))]
)
def test_where_nothing_has_run_the_commands_say_so(runs, command):
    assert "run `dvc repro` first" in str(run.invoke(app, command).exception)


def test_a_tolerance_needs_another_run(runs):
    result = run.invoke(app, ["audit", "--tolerance", "0.1"])
    assert isinstance(result.exception, PlainError)
    assert "name the other one with --against" in str(result.exception)


@pytest.mark.slow
@one_process
def test_a_run_is_audited_traced_and_explained(pipeline_run, monkeypatch, tmp_path):
    monkeypatch.chdir(pipeline_run.root)
    audited = run.invoke(app, ["audit"])
    assert audited.exit_code == 0, audited.stdout
    lines = audited.stdout.splitlines()
    assert all(line.startswith("green ") for line in lines[:-1])
    assert lines[-1] == f"all {len(lines) - 1:,} checks are green"
    traced = run.invoke(app, ["trace", "map_sample"])
    assert "map_sample a metric: " in traced.stdout
    assert "made by evaluate" in traced.stdout
    longest = max(traced.stdout.splitlines(), key=len)
    assert longest.count("[") == longest.count("]")  # nothing is cut off where no terminal sets a width
    assert len(longest) > 200
    assert json.loads(run.invoke(app, ["trace", "train", "--json"]).stdout)["label"] == "train"
    answer = run.invoke(app, ["why", "train"]).stdout
    assert answer.startswith("train would not run again: nothing has changed; its result was made by run ")
    assert run.invoke(app, ["trace", "map_sample", "--html", str(tmp_path / "trace.html")]).exit_code == 0
    assert "<summary><b>made by</b>" in (tmp_path / "trace.html").read_text()
    beside = (pipeline_run.root / "data/report/trace.html").read_text()  # written by `dvc repro` itself
    assert beside == (tmp_path / "trace.html").read_text()
    led = re.search(r'href="trace\.html#(\w+)"', (pipeline_run.root / "data/report/index.html").read_text())[1]
    assert f'data-of="{led}"' in beside
    nearest = str(run.invoke(app, ["trace", "map_sampel"]).exception)
    assert "did you mean map_sample" in nearest
    if installed("crate"):
        crate = run.invoke(app, ["crate", str(tmp_path / "crate")])
        assert crate.exit_code == 0
        assert (tmp_path / "crate/ro-crate-metadata.json").is_file()


@pytest.mark.slow
@one_process
def test_a_changed_stage_is_explained_with_what_follows(pipeline_run, monkeypatch):
    monkeypatch.chdir(pipeline_run.root)
    module = pipeline_run.root / "pipeline/graph/cooccurrence.py"
    before = module.read_text()
    module.write_text(before + "\nEDITED = [True]\n")
    try:
        told = run.invoke(app, ["why", "build_adjacency"]).stdout.splitlines()
        assert run.invoke(app, ["audit"]).exit_code == 1
    finally:
        module.write_text(before)
    assert told[0].startswith("build_adjacency would run again (its result was made by run ")
    assert told[1] == "  code: pipeline/graph/cooccurrence.py"
    assert "      +EDITED = [True]" in told
    assert told[-1].startswith("and after it, where its outputs change: train, ")
