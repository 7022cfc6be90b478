"""`m3a gallery` and what predicts by another preset."""

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.foundations.params import parse_params
from pipeline.foundations.params.editing import edited
from pipeline.foundations.runtime.errors import PlainError
from tests.evaluate.miniature import write_model, write_video

run = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})
SMALL = {"evaluate.temporal_views": 2, "evaluate.short_side": 24, "evaluate.crop": 24, "execution.device": "cpu"}


@pytest.fixture
def project(tmp_path, monkeypatch, root):
    """A project's parameters, a preset of its own, a small model and two videos."""
    text = edited((root / "params.yaml").read_text(), SMALL)
    (tmp_path / "params.yaml").write_text(text)
    (tmp_path / "params").mkdir()
    (tmp_path / "params/sample.yaml").write_text("evaluate:\n  temporal_views: 2\n")
    (tmp_path / "params/one_view.yaml").write_text("# One view.\n\nevaluate:\n  temporal_views: 1\n")
    write_model(tmp_path / "models/m3a", parse_params(text, tmp_path / "params.yaml"))
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos/a.avi", seed=0, frames=16)
    (tmp_path / "videos/b.avi").write_bytes(b"none")
    (tmp_path / "labels.tsv").write_text("file\tlabels\na.avi\tdiving\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_lists_what_it_found_and_names_what_it_cannot_read(project):
    result = run.invoke(app, ["gallery", "videos", "--labels", "labels.tsv", "--to", "out/page.html"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert any(line.startswith("b.avi: cannot be read: not a readable") for line in lines)
    assert next(line for line in lines if line.startswith("a.avi")).endswith("diving")
    assert (project / "out/page.html").read_text().startswith("<!doctype html>")


def test_another_preset_changes_the_views_and_leaves_params_yaml(project):
    before = (project / "params.yaml").read_bytes()
    two = run.invoke(app, ["predict", "videos/a.avi", "--json"])
    one = run.invoke(app, ["predict", "videos/a.avi", "--json", "--preset", "one_view"])
    assert (two.exit_code, one.exit_code) == (0, 0), one.output
    assert two.stdout != one.stdout
    assert (project / "params.yaml").read_bytes() == before
    with pytest.raises(PlainError, match="no such preset"):
        run.invoke(app, ["predict", "videos/a.avi", "--preset", "absent"], catch_exceptions=False)
