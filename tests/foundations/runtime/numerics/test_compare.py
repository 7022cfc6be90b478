"""What CI says of a run on another CPU."""

import json

import pytest

from tests.foundations.runtime.numerics import compare

LOCK = "stages:\n  {name}:\n    outs:\n    - {{path: {path}, md5: {md5}}}\n"
METRICS = {"map_sample": 60.0, "top1": 50.0, "excluded": 0, "nested": {"low": 1.0}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A run whose stage `whiten` gave other bytes than the committed ones, and whose metrics moved."""
    committed = {
        "data/raw/dvc.lock": LOCK.format(name="render", path="data/raw/sample", md5="a"),
        "dvc.lock": LOCK.format(name="index", path="data/index", md5="b")
        + LOCK.format(name="whiten", path="data/features/whitened.parquet", md5="c").removeprefix("stages:\n"),
        "data/metrics.json": json.dumps(METRICS),
    }
    (tmp_path / "data/raw").mkdir(parents=True)
    for path, text in committed.items():
        (tmp_path / path).write_text(text.replace("md5: c", "md5: d"), encoding="utf-8")
    (tmp_path / "data/metrics.json").write_text(json.dumps(METRICS | {"top1": 48.5, "map_sample": 60.5}))
    (tmp_path / "dvc.yaml").write_text("stages: {index: {}, whiten: {}, report: {}}\n")
    monkeypatch.setattr(compare, "ROOT", tmp_path)
    monkeypatch.setattr(compare, "committed", committed.__getitem__)
    monkeypatch.setattr(compare, "operations_that_differ", lambda: ["pca on 1 threads, results [0]"])
    return tmp_path


def test_the_first_stage_that_differs_is_named_and_how_far_the_metrics_went(project, capsys):
    compare.main()
    said = capsys.readouterr().out
    assert said.startswith("CPU: ")
    assert "1 outputs of 1 stages differ" in said
    assert "first stage that differs: whiten (data/features/whitened.parquet)" in said
    assert "metric that moved most: top1: 48.5 here, 50 committed" in said
    assert "operations that differ: pca on 1 threads, results [0]" in said


def test_the_same_bytes_are_said_in_a_line(project, capsys):
    (project / "dvc.lock").write_text(compare.committed("dvc.lock"))
    compare.main()
    assert "every output of every stage is byte for byte the committed one" in capsys.readouterr().out


def test_the_table_holds_every_operation_on_one_thread_and_two():
    from tests.foundations.runtime.numerics.operations import OPERATIONS

    known = [(entry["operation"], entry["threads"]) for entry in compare.read_table()["operations"]]
    assert known == [(name, threads) for name in OPERATIONS for threads in (1, 2)]
    assert compare.read_table()["seen on"]
