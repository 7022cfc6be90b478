"""Stage `build_audio_lexicon`, as a person would run it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.foundations.tables import tables
from stages import build_audio_lexicon

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def _project(tmp_path, monkeypatch):
    """Three audible videos, of which one is drawn, one only in the full training split and one in the test split."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    names = ["singing", "dancing", "diving"]
    rows = {"drawn": ("train", [0]), "other": ("train", [0, 1]), "tested": ("test", [2])}
    columns = {
        "actions": {"action_id": [0, 1, 2], "action": names, "words": [[name] for name in names]},
        "videos": {
            "video_id": list(rows),
            "path": list(rows),
            "split": [split for split, _ in rows.values()],
            "actions": [actions for _, actions in rows.values()],
            "bytes": [1, 1, 1],
            "sha256": ["0"] * 3,
        },
        "splits": {"video_id": ["drawn"], "actions": [[0]], "drawn_for": [0]},
        "whitened": {"video_id": list(rows), "form": np.ones((3, 384), np.float32)},
    }
    paths = {"actions": "data/index/actions", "videos": "data/index/videos", "splits": "data/splits/train",
             "whitened": "data/features/whitened"}  # fmt: skip
    for name, path in paths.items():
        tables.write(name, Path(f"{path}.parquet"), tables.from_columns(name, columns[name]))


@pytest.mark.usefixtures("_project")
@pytest.mark.parametrize(
    ("scope", "pairs", "said"),
    [
        ("mini", [(0, "drawn")], "1 pairs of 1 videos and 1 actions; without a form: dancing, diving"),
        (
            "full",
            [(0, "drawn"), (0, "other"), (1, "other")],
            "3 pairs of 2 videos and 2 actions; without a form: diving",
        ),
    ],
)
def test_the_stage_pairs_training_sounds_with_actions_and_names_those_without(scope, pairs, said, capfd):
    text = Path("params.yaml").read_text()
    before, _, after = text.partition("audio_lexicon:\n  scope: mini")
    Path("params.yaml").write_text(f"{before}audio_lexicon:\n  scope: {scope}{after}")
    build_audio_lexicon.main()
    table = tables.read("audio", Path("data/lexicons/audio.parquet"))
    assert list(zip(table["action_id"].to_pylist(), table["video_id"].to_pylist(), strict=True)) == pairs
    assert f"build_audio_lexicon: {said}" in capfd.readouterr().err
