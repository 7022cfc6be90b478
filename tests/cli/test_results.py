"""`m3a show`: the metrics as a table or as JSON, and where the report is."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import METRICS
from tests.report.miniature import write_run

run = CliRunner()


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entries = sorted((row, metric) for row in ("model", "frequency", "chance", "lead") for metric in METRICS)
    columns = {
        "row": [row for row, _ in entries],
        "metric": [metric for _, metric in entries],
        "value": [12.25] * 20,
        "low": [float("nan") if row == "chance" else 11.0 for row, _ in entries],
        "high": [float("nan") if row == "chance" else 13.5 for row, _ in entries],
    }
    tables.write("metrics", Path("data/predictions/metrics.parquet"), tables.from_columns("metrics", columns))
    return tmp_path


def test_the_table_and_the_path_of_the_report(project):
    report = project / "data/report/index.html"
    report.parent.mkdir()
    report.touch()
    shown = run.invoke(app, ["show"])
    assert shown.exit_code == 0
    assert all(metric in shown.output for metric in METRICS)
    assert "12.2 (11.0 to 13.5)" in shown.output
    assert shown.output.splitlines()[-1] == f"the report: {report.as_uri()}"


def test_without_a_report_it_says_how_to_get_one(project):
    assert run.invoke(app, ["show"]).output.splitlines()[-1] == "the report: not there yet; run `dvc repro`"


def test_json_holds_the_whole_table_and_no_nan(project):
    rows = json.loads(run.invoke(app, ["show", "--json"]).output, parse_constant=pytest.fail)
    assert len(rows) == 20
    assert {"row": "chance", "metric": "top1", "value": 12.25, "low": None, "high": None} in rows


@pytest.mark.parametrize("command", [["show"], ["show", "--json"], ["compare", "fc"], ["compare", ".", "fc"]])
def test_before_a_run_it_says_how_to_get_results(root, tmp_path, monkeypatch, command):
    shutil.copy(root / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PlainError, match=r"^no results yet: run `make repro`$"):
        run.invoke(app, command, catch_exceptions=False)


def test_two_runs_are_compared_on_a_page(tmp_path, monkeypatch):
    for name in ("ours", "theirs"):
        write_run(tmp_path / name)
    monkeypatch.chdir(tmp_path / "ours")
    shown = run.invoke(app, ["compare", "../theirs"])
    assert shown.exit_code == 0
    assert all(words in shown.output for words in (*METRICS, "../theirs", "this run", "+0.0 (+0.0 to +0.0)"))
    assert "training noise is not in it" in " ".join(shown.output.split())
    page = tmp_path / "ours/data/compare.html"
    assert shown.output.splitlines()[-1] == f"the page: {page.as_uri()}"
    assert "All parameters are the same" in page.read_text()
    told = json.loads(run.invoke(app, ["compare", "../theirs", "--json", "--to", "x.html"]).output)
    assert told["videos"] == 3
    assert [line["lead"]["value"] for line in told["lines"]] == [0.0] * 5
