"""Stage `split_mini` from tables on disk."""

from pathlib import Path

import pytest

from pipeline.foundations.tables import tables
from stages import split_mini

ROOT = Path(__file__).resolve().parents[2]
ACTIONS = ["swimming", "singing"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Five training videos of two actions, one of them without sound, and one video for each other split."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("per_action: 300 ", "per_action: 2 "))
    names = [f"swimming/{letter}" for letter in "abcd"] + ["singing/e", "singing/t", "singing/v"]
    columns = {
        "video_id": names, "path": [f"{name}.mp4" for name in names], "split": ["train"] * 5 + ["test", "val"],
        "actions": [[0], [0, 1], [0], [0], [1], [1], [1]], "bytes": [1] * 7, "sha256": ["00"] * 7,
    }  # fmt: skip
    tables.write("videos", Path("data/index/videos.parquet"), tables.from_columns("videos", columns))
    columns = {"action_id": [0, 1], "action": ACTIONS, "words": [[name] for name in ACTIONS]}
    tables.write("actions", Path("data/index/actions.parquet"), tables.from_columns("actions", columns))
    columns = {
        "video_id": names, "verdict": ["no_audio_stream"] + ["audible"] * 6, "reason": [""] * 7,
        "seconds": [3.0] * 7, "peak_dbfs": [0.0] * 7, "rms_dbfs": [0.0] * 7,
    }  # fmt: skip
    tables.write("verdicts", Path("data/audible/verdicts.parquet"), tables.from_columns("verdicts", columns))


def test_the_stage_writes_the_three_splits(project, capfd):
    split_mini.main()
    train, val, test = (
        tables.read("splits", Path(f"data/splits/{name}.parquet")).to_pylist() for name in ("train", "val", "test")
    )
    assert [row["drawn_for"] for row in train] == [1, 0, 0]  # sorted by id: singing first
    assert "swimming/a" not in {row["video_id"] for row in train}
    assert val == [{"video_id": "singing/v", "actions": [1], "drawn_for": None}]
    assert test == [{"video_id": "singing/t", "actions": [1], "drawn_for": None}]
    line = capfd.readouterr().err.splitlines()[-1]
    assert line.startswith("split_mini: 3 of 5 training videos, up to 2 drawn for each folder; ")
