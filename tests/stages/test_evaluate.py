"""Stage `evaluate` on small videos and a small untrained model, as a person would run it."""

import json
from pathlib import Path

import pytest

from pipeline.foundations.params import load_params
from pipeline.foundations.runtime import files
from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import METRICS
from stages import evaluate
from tests.evaluate.miniature import ACTIONS, write_model, write_video
from tests.train.miniature import changed, write_params

ROOT = Path(__file__).resolve().parents[2]
LABELS = {"a": [0, 3], "b": [1], "c": [4], "d": [1, 4]}
SMALL = {
    "evaluate": {
        "temporal_views": 1, "spatial_views": 1, "short_side": 24, "crop": 24, "batch": 1, "bootstrap": 20,
        "max_failure_rate": 0.3, "shard_size": 2,
    },
    "execution": {"workers": 1, "device": "cpu"},
}  # fmt: skip


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project with a model, four test videos and three to train; the audio weights are untrained."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    params = changed(load_params(ROOT / "params.yaml"), SMALL | {"dataset": {"videos": str(tmp_path / "videos")}})
    write_params(tmp_path, params)
    write_model(Path("models/m3a"), params)
    Path("videos").mkdir()
    for seed, name in enumerate(LABELS):
        write_video(Path("videos") / f"{name}.avi", seed=seed)
    _write_tables()
    _write_weights(trained=False)
    return tmp_path


def _write_tables() -> None:
    columns = {"action_id": range(5), "action": ACTIONS, "words": [[name] for name in ACTIONS]}
    tables.write("actions", Path("data/index/actions.parquet"), tables.from_columns("actions", columns))
    paths = [Path("videos") / f"{name}.avi" for name in LABELS]
    columns = {"video_id": list(LABELS), "path": [path.name for path in paths], "split": ["test"] * 4}
    columns |= {"actions": list(LABELS.values()), "bytes": [path.stat().st_size for path in paths]}
    columns |= {"sha256": [files.sha256(path) for path in paths]}
    tables.write("videos", Path("data/index/videos.parquet"), tables.from_columns("videos", columns))
    for split, labels in (("test", LABELS), ("train", {"x": [1], "y": [1, 4], "z": [0]})):
        columns = {"video_id": list(labels), "actions": list(labels.values()), "drawn_for": [None] * len(labels)}
        tables.write("splits", Path(f"data/splits/{split}.parquet"), tables.from_columns("splits", columns))


def _write_weights(*, trained: bool) -> None:
    files.write_text(Path("models/pretrained/weights.json"), json.dumps({"vggish": {"trained": trained}}))


def test_the_stage_leaves_predictions_figures_and_the_headline(root, capfd):
    evaluate.main()
    predictions = tables.read("predictions", Path("data/predictions/predictions.parquet"))
    assert predictions["video_id"].to_pylist() == list(LABELS)
    assert all(0 <= score <= 1 for scores in predictions["scores"].to_pylist() for score in scores)
    metrics = {(row["row"], row["metric"]): row["value"] for row in _rows("metrics")}
    headline = json.loads(Path("data/metrics.json").read_text())
    assert {name: headline[name] for name in METRICS} == {name: metrics["model", name] for name in METRICS}
    assert {name: headline[name] for name in ("videos", "excluded", "actions_evaluated")} == {
        "videos": 4, "excluded": 0, "actions_evaluated": 4,
    }  # fmt: skip
    assert [row["training"] for row in _rows("per_action")] == [1, 2, 0, 0, 1]
    lines = capfd.readouterr().err.splitlines()
    assert any("map_sample" in line for line in lines)
    assert lines[-1] == "evaluate: 4 videos scored, 0 excluded; data/metrics.json"


def _rows(name: str) -> list[dict]:
    return tables.read(name, Path(f"data/predictions/{name}.parquet")).to_pylist()


@pytest.mark.parametrize("trained", [False, True])
def test_untrained_audio_weights_are_said_in_the_metrics(root, trained):
    _write_weights(trained=trained)
    evaluate.main()
    headline = json.loads(Path("data/metrics.json").read_text())
    assert headline.get("untrained_audio_weights") == (None if trained else True)


def test_a_second_run_gives_the_same_bytes(root):
    left = []
    for _ in range(2):
        evaluate.main()
        paths = [Path("data/metrics.json"), *sorted(Path("data/predictions").iterdir())]
        left.append({path.name: path.read_bytes() for path in paths})
    assert left[0] == left[1]
    assert set(left[0]) == {
        "metrics.json", "predictions.parquet", "excluded.parquet", "metrics.parquet", "per_action.parquet",
    }  # fmt: skip


def test_a_changed_video_is_excluded_by_name(root):
    write_video(Path("videos/b.avi"), seed=99)
    evaluate.main()
    (row,) = tables.read("exclusions", Path("data/predictions/excluded.parquet")).to_pylist()
    assert row["video_id"] == "b"
    assert "changed since `index`" in row["reason"]
    assert json.loads(Path("data/metrics.json").read_text())["excluded"] == 1


def test_another_vocabulary_is_one_plain_line(root, capfd):
    names = [*ACTIONS, "more"]
    columns = {"action_id": range(6), "action": names, "words": [[name] for name in names]}
    tables.write("actions", Path("data/index/actions.parquet"), tables.from_columns("actions", columns))
    with pytest.raises(SystemExit):
        evaluate.main()
    error = capfd.readouterr().err.splitlines()[-1]
    assert error == "evaluate: error: the predictions have 5 scores a video, but there are 6 actions; train again"
