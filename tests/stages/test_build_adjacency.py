"""Stage `build_adjacency` from tables on disk, in both scopes."""

from pathlib import Path

import pytest

from pipeline.foundations.tables import tables
from stages import build_adjacency

ROOT = Path(__file__).resolve().parents[2]
LABELS = {"a": [0, 1], "b": [0, 1], "c": [0], "d": [2]}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Four training videos, of which the mini split has two, and a validation video that must not count."""
    monkeypatch.chdir(tmp_path)
    names = [*LABELS, "v"]
    columns = {
        "video_id": names, "path": names, "split": ["train"] * 4 + ["val"], "actions": [*LABELS.values(), [0, 2]],
        "bytes": [1] * 5, "sha256": ["00"] * 5,
    }  # fmt: skip
    tables.write("videos", Path("data/index/videos.parquet"), tables.from_columns("videos", columns))
    columns = {"action_id": range(3), "action": list("xyz"), "words": [[name] for name in "xyz"]}
    tables.write("actions", Path("data/index/actions.parquet"), tables.from_columns("actions", columns))
    columns = {"video_id": ["b", "c"], "actions": [LABELS["b"], LABELS["c"]], "drawn_for": [0, 0]}
    tables.write("splits", Path("data/splits/train.parquet"), tables.from_columns("splits", columns))


@pytest.mark.parametrize(
    ("scope", "counts", "line"),
    [
        ("full", [3, 2, 1], "2 edges between 3 actions; 1 actions have none"),
        ("mini", [2, 1, 0], "2 edges between 3 actions; 1 actions have none; 1 never occur in training"),
    ],
)
def test_the_stage_counts_training_labels_of_its_scope(project, capfd, scope, counts, line):
    text = (ROOT / "params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("scope: full                     # full", f"scope: {scope} # full"))
    build_adjacency.main()
    table = tables.read("adjacency", Path("data/graph/adjacency.parquet"))
    rows = {(row["source"], row["target"]): row for row in table.to_pylist()}
    assert [rows[i, i]["source_count"] for i in range(3)] == counts
    assert {pair for pair, row in rows.items() if row["edge"]} == {(0, 1), (1, 0)}
    assert capfd.readouterr().err.splitlines()[-1] == f"build_adjacency: {line}"
