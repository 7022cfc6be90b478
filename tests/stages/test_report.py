"""Stage `report` on a small finished run, as a person would run it."""

from pathlib import Path

import pytest

from stages import report
from tests.report.miniature import write_run


@pytest.fixture
def root(tmp_path, monkeypatch):
    write_run(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_stage_writes_one_page_and_nothing_beside_it(root, capfd):
    report.main()
    page = root / "data/report/index.html"
    assert list(page.parent.iterdir()) == [page]
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert capfd.readouterr().err.splitlines()[-1].startswith("report: data/report/index.html, ")


def test_a_page_that_is_too_large_comes_with_advice(root, capfd, monkeypatch):
    report.main()
    assert "above" not in capfd.readouterr().err
    monkeypatch.setattr(report, "LARGEST", 0.1)
    report.main()
    assert "self-contained; above 0.1 MB: lower explain.videos" in capfd.readouterr().err


def test_two_runs_write_the_same_bytes(root):
    written = []
    for _ in range(2):
        report.main()
        written.append(Path("data/report/index.html").read_bytes())
    assert written[0] == written[1]


def test_an_unfinished_run_is_one_plain_line(root, capfd):
    (root / "data/predictions/metrics.parquet").unlink()
    with pytest.raises(SystemExit) as caught:
        report.main()
    assert caught.value.code == 1
    error = capfd.readouterr().err
    assert "report: error: data/predictions/metrics.parquet: cannot be read" in error
    assert "Traceback" not in error
    assert not Path("data/report").exists()
