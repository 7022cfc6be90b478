"""The stages on imported features without sound, and on sounds that no one whitened, of a width of their own."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.exchange.feature_folder import write_folder
from pipeline.foundations.tables import tables
from pipeline.model.checkpoint import load_model
from stages import evaluate, freeze, heads, train
from tests.features import ACTIONS, ORIGIN, items
from tests.presets import ROOT, preset_text
from tests.stages.test_imported import CHANGES, UP_TO_TRAINING

WIDTH = 20


def run(root: Path, forms: dict[str, np.ndarray | None], changes: dict, monkeypatch) -> None:
    """All stages up to the scores, on 60 videos with these forms."""
    origin = ORIGIN._replace(whitened=False, standardize=True, constant=1.0)
    videos = [item._replace(form=forms[item.video_id]) for item in items()]
    write_folder(root / "set", videos, ACTIONS, origin)
    (root / "data/external").mkdir(parents=True)
    for name in ("glove.6B.100d.real.txt", "speech_16khz.wav"):
        shutil.copyfile(ROOT / "data/external" / name, root / "data/external" / name)
    (root / "params.yaml").write_text(preset_text("youtube8m", CHANGES | changes), encoding="utf-8")
    monkeypatch.chdir(root)
    for stage in (*UP_TO_TRAINING, train, evaluate, freeze, heads):
        stage.main()


@pytest.mark.parametrize("learners", [["visual", "text"], ["fc"], ["decoder_text"]])
def test_without_sound_heads_without_sound_run(tmp_path, monkeypatch, learners):
    silent = {item.video_id: None for item in items()}
    run(tmp_path, silent, {"model.heads": learners, "model.late_fusion": False}, monkeypatch)
    assert tables.read("audio", Path("data/lexicons/audio.parquet")).num_rows == 0
    assert tables.read("predictions", Path("data/predictions/predictions.parquet")).num_rows == 20
    assert len(list((heads.PREDICTIONS / "tuned").iterdir())) == 2


def test_sounds_of_any_width_are_whitened_by_fit_and_heard_by_lexicon_and_late_fusion(tmp_path, monkeypatch):
    random = np.random.default_rng(2)
    mixing = random.standard_normal((WIDTH, WIDTH))
    sounds = {
        item.video_id: None if item.form is None else (random.standard_normal(WIDTH) @ mixing + 3).astype(np.float32)
        for item in items()
    }
    run(tmp_path, sounds, {"model.heads": ["audio", "text"], "whitening.method": "fit"}, monkeypatch)
    _, about = load_model(Path("models/m3a"))
    assert (about.audio_size, about.sound_size) == (WIDTH, WIDTH)
    index = tables.read("videos", Path("data/index/videos.parquet"))
    training = set(index.filter(np.array(index["split"]) == "train")["video_id"].to_pylist())
    whitened = tables.read("whitened", Path("data/features/whitened.parquet"))
    own = np.array([name in training for name in whitened["video_id"].to_pylist()])
    forms = tables.vectors(whitened["form"])[own].astype(np.float64)
    np.testing.assert_allclose(np.cov(forms.T), np.eye(WIDTH), atol=1e-4)
