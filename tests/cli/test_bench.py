"""`m3a bench`: a table for people, or JSON."""

import json

import pytest
from typer.testing import CliRunner

from pipeline.bench import run as module
from pipeline.cli import app
from pipeline.foundations.runtime.errors import PlainError
from tests.report.test_bench_rows import line

run = CliRunner()


@pytest.fixture
def project(root, tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_bytes((root / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "ON_CPU", {"sound": lambda _: [line()]})
    return tmp_path


def test_the_table_and_how_many_targets_are_met(project):
    shown = run.invoke(app, ["bench", "sound"])
    assert shown.exit_code == 0
    assert "| sound | decoding; against ffmpeg | 130 | 10.0 | clips/s |" in shown.stdout
    assert (project / "data/bench/bench.parquet").exists()


def test_as_json(project):
    found = json.loads(run.invoke(app, ["bench", "sound", "--json"]).stdout)
    assert found[0] | {"name": "sound", "ratio": 13.0} == found[0]


def test_an_unknown_name_is_a_plain_error(project):
    failed = run.invoke(app, ["bench", "speed"])
    assert isinstance(failed.exception, PlainError)
