"""Data on the command line."""

import pickle
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from pipeline import tables
from pipeline.cli import app

run = CliRunner(env={"COLUMNS": "100", "TERM": "dumb"})


def test_import_released_puts_tables_in_place_and_says_how_dvc_learns_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ids = np.arange(2, dtype=np.int16)
    actions = tables.from_columns("actions", {"action_id": ids, "action": ["a", "b"], "words": [["a"], ["b"]]})
    tables.write("actions", tmp_path / "data/index/actions.parquet", actions)
    (tmp_path / "text.pkl").write_bytes(pickle.dumps(np.eye(2), protocol=4))
    result = run.invoke(app, ["import-released", "--text", "text.pkl"])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "data/lexicons/text.parquet: 2 forms of 2",
        "to let DVC take them as these stages' results: dvc commit --force build_text_lexicon",
    ]
    assert tables.vectors(tables.read("text", Path("data/lexicons/text.parquet"))["form"]).tolist() == [[1, 0], [0, 1]]
    nothing = run.invoke(app, ["import-released"])
    assert "name at least one file" in str(nothing.exception)
