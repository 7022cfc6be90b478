"""Stage `fetch_weights`, as a person would run it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.foundations.tables import tables
from pipeline.weights import pretrained
from stages import fetch_weights

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def _project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    shutil.copytree(ROOT / "data/external", "data/external")
    columns = {"action_id": [0], "action": ["singing"], "words": [["singing"]]}
    tables.write("actions", Path("data/index/actions.parquet"), tables.from_columns("actions", columns))
    monkeypatch.setattr(pretrained, "seeded_weights", lambda seed: {"w": np.full(1, seed, np.float32)})


@pytest.mark.usefixtures("_project")
def test_the_stage_ends_by_saying_what_is_untrained(capfd):
    fetch_weights.main()
    assert sorted(path.name for path in Path("models/pretrained").iterdir()) == [
        "vggish.safetensors", "weights.json", "words.bin"
    ]  # fmt: skip
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("fetch_weights: vggish.safetensors (")
    assert "UNTRAINED" in last
    assert "words.bin (0.1 MB, 334 vectors of 100)" in last


@pytest.mark.usefixtures("_project")
def test_a_model_that_is_not_there_stops_the_stage(capfd):
    text = Path("params.yaml").read_text()
    text = text.replace("source: seeded ", "source: hub ").replace("https://tfhub.dev/google/vggish/1", "nowhere")
    Path("params.yaml").write_text(text)
    with pytest.raises(SystemExit):
        fetch_weights.main()
    assert "vggish.handle: nowhere has no saved_model.pb" in capfd.readouterr().err
    assert not Path("models/pretrained").exists()
