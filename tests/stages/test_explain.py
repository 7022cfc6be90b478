"""Stage `explain` on small videos and a small untrained model, as a person would run it."""

import csv
from pathlib import Path

import pytest

from pipeline.foundations.params import load_params
from pipeline.foundations.runtime import files
from pipeline.foundations.tables import tables
from stages import explain
from tests.evaluate.miniature import ACTIONS, write_model, write_video
from tests.train.miniature import changed, write_params

ROOT = Path(__file__).resolve().parents[2]
LABELS = {"a": [0, 3], "b": [1]}
SMALL = {
    "evaluate": {"short_side": 24, "crop": 24, "bootstrap": 20, "shard_size": 2},
    "explain": {"videos": 1, "clips": 1, "frames": 2, "short_side": 32},
    "execution": {"workers": 1, "device": "cpu"},
}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project with a model and two test videos, scored; the sample's layout of places."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    dataset = {"folder": ".", "annotations": ".", "videos": "videos"}
    params = changed(load_params(ROOT / "params.yaml"), SMALL | {"dataset": dataset})
    write_params(tmp_path, params)
    write_model(Path("models/m3a"), params)
    Path("videos").mkdir()
    for seed, name in enumerate(LABELS):
        write_video(Path(f"videos/{name}.avi"), seed=seed)
    _write_tables()
    with Path("places.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "action", "frame", "x", "y", "width", "height"])
        for name, actions in LABELS.items():
            writer.writerows([f"{name}.avi", ACTIONS[action], 0, 0, 0, 85, 64] for action in actions)
    return tmp_path


def _write_tables() -> None:
    data = Path("data")
    rows = [(number, name, [name]) for number, name in enumerate(ACTIONS)]
    tables.write("actions", data / "index/actions.parquet", tables.from_rows("actions", rows))
    paths = {name: Path(f"videos/{name}.avi") for name in LABELS}
    rows = [
        (name, path.name, "test", LABELS[name], path.stat().st_size, files.sha256(path)) for name, path in paths.items()
    ]
    tables.write("videos", data / "index/videos.parquet", tables.from_rows("videos", rows))
    rows = [(name, actions, None) for name, actions in LABELS.items()]
    tables.write("splits", data / "splits/test.parquet", tables.from_rows("splits", rows))
    rows = [(name, actions, [0.1, 0.4, 0.2, 0.3, 0.5]) for name, actions in LABELS.items()]
    tables.write("predictions", data / "predictions/predictions.parquet", tables.from_rows("predictions", rows))
    rows = [(0, next(iter(LABELS)), [0.0] * 384)]
    tables.write("audio", data / "lexicons/audio.parquet", tables.from_rows("audio", rows))
    rows = [(i, j, 2, 1, 0.5, i != j) for i in range(5) for j in range(5)]
    tables.write("adjacency", data / "graph/adjacency.parquet", tables.from_rows("adjacency", rows))


def _read(name: str) -> list[dict]:
    return tables.read(name, Path(f"data/explain/{name}.parquet")).to_pylist()


def test_the_stage_leaves_pictures_and_tables(root, capfd):
    explain.main()
    assert [(row["video_id"], row["action_id"]) for row in _read("drawn")] == [("a", 0), ("a", 3)]
    assert all(Path("data/explain", row["moving"]).is_file() for row in _read("drawn"))
    pairs = {(row["video_id"], row["action_id"]): row for row in _read("pointing") if row["layer"] == "layer4"}
    assert set(pairs) == {("a", 0), ("a", 3), ("b", 1)}
    assert pairs["b", 1]["chance"] == 0.25  # 85 x 64 pixels of 170 x 128
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("explain: 1 videos drawn; the model's heat at layer3 points at the action ")


def test_of_data_that_are_not_the_sample_no_places_are_asked_for(root):
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("source: sample", "source: mmit"))
    Path("places.csv").unlink()
    explain.main()
    assert _read("pointing") == []
    assert len(_read("drawn")) == 2


def test_a_baseline_that_is_not_there_is_one_plain_line(root, capfd):
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("baseline:\n", "baseline: ../nowhere\n"))
    with pytest.raises(SystemExit):
        explain.main()
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("explain: error: ../nowhere/data/predictions/predictions.parquet: cannot be read")
