"""Our own frozen features, exported and imported again, are the same bytes, and so are a trained head's predictions."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from pipeline.evaluate.frozen import predict
from pipeline.exchange.export_features import FEATURES, VIEW_FEATURES, export_features
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import map_action, map_sample_of_each
from pipeline.model.checkpoint import load_model
from pipeline.model.design import Design
from pipeline.model.normalize import as_clips
from pipeline.train.data import Pick
from pipeline.train.experiment import open_data
from pipeline.train.frozen import BACKBONE, HeadTrainer, freeze, frozen_splits
from pipeline.train.heads import Trial
from pipeline.train.inputs import Inputs
from stages import extract_vggish, filter_silent, index, prepare_clips, split_mini, whiten
from stages import freeze as freeze_stage
from tests.presets import ROOT, preset_text
from tests.train.miniature import SMALL, changed, write_inputs

VIEWS = 3
FILES = [FEATURES / split / name for split in ("train", "val") for name in ("views.npy", "targets.npz", "sounds.npy")]


@pytest.fixture(scope="module")
def own(params, tmp_path_factory):
    """A project whose features are frozen: twelve videos in two views, seven in one, six test videos in three."""
    root = tmp_path_factory.mktemp("own")
    small, inputs = changed(params, SMALL), write_inputs(root).inputs
    design = Design.of(small)
    frozen = small.frozen.model_copy(update={"backbone": "start"})
    how = {"train": small.train, "frozen": frozen, "metrics": {"map_action": map_action}, "execution": small.execution}
    freeze(root / FEATURES, inputs, design=design, seed=7, **how)
    model, _ = load_model(root / FEATURES / BACKBONE)
    data = open_data(inputs, actions=3, frames=design.frames, train=small.train, seed=7, with_sounds=False)
    rows = []
    for row in range(6):
        pictures = torch.stack([data.measuring[Pick(row, view)].pictures for view in range(VIEWS)])
        with torch.no_grad():
            features_VC = model.features(as_clips(pictures, design.frames))
        rows.append((f"t{row}", [row % 3], features_VC.ravel().tolist(), [VIEWS, 1, features_VC.shape[1]], ""))
    rows.append(("t9", [1], [], [], "it cannot be read"))
    tables.write("view_features", root / VIEW_FEATURES, tables.from_rows("view_features", rows))
    return root, small, design, inputs


@pytest.fixture
def imported(own, tmp_path, monkeypatch):
    """The same features in another project."""
    root, small, _, _ = own
    export_features(tmp_path / "set", root, small, licence="ours")
    (tmp_path / "data").mkdir()
    shutil.copytree(ROOT / "data/external", tmp_path / "data/external", ignore=lambda *_: ["audioset", "youtube8m"])
    changes = {"dataset.folder": "set", "train.batch": 4}
    (tmp_path / "params.yaml").write_text(preset_text("youtube8m", changes), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for stage in (index, filter_silent, split_mini, extract_vggish, whiten, prepare_clips, freeze_stage):
        stage.main()
    return tmp_path


def test_features_targets_sounds_and_views_are_the_same_bytes(own, imported):
    root = own[0]
    assert [(imported / path).read_bytes() == (root / path).read_bytes() for path in FILES] == [True] * len(FILES)
    seen = tables.read("view_features", root / VIEW_FEATURES)
    assert tables.read("view_features", imported / VIEW_FEATURES).equals(seen.slice(0, 6))
    assert tables.read("actions", imported / "data/index/actions.parquet")["action"].to_pylist() == [
        "clapping", "diving", "singing",
    ]  # fmt: skip


def test_a_trained_heads_predictions_are_the_same_bytes(own, imported):
    root, small, design, inputs = own
    heard = replace(design, model=design.model.model_copy(update={"heads": ("fc",), "late_fusion": True}))
    trained = []
    for features in (root / FEATURES, imported / FEATURES):
        trainer = HeadTrainer(
            partial(frozen_splits, features), inputs, heard, backbone=root / FEATURES / BACKBONE,
            schedule=small.frozen, train=small.train, metric=map_sample_of_each, execution=small.execution,
        )  # fmt: skip
        (fitted,) = trainer.fit([Trial(7, 0.5, 1e-4, 3)], keep=True)
        trained.append(trainer.model(fitted))
    places = ((root, inputs.whitened), (imported, imported / Inputs().whitened))
    scored = []
    for (place, whitened), model in zip(places, trained, strict=True):
        found = predict(place / VIEW_FEATURES, model, whitened, small.evaluate)
        tables.write("predictions", imported / "scored.parquet", found)
        scored.append((imported / "scored.parquet").read_bytes())
    assert scored[0] == scored[1]


def test_without_frozen_features_it_says_how_to_make_them(own, tmp_path):
    root, small, _, _ = own
    shutil.copytree(root / "data/index", tmp_path / "data/index")
    with pytest.raises(PlainError, match=r"there are no frozen features; set `runs: \[ablate\]` in data/frozen"):
        export_features(tmp_path / "set", tmp_path, small, licence="ours")
    there = small.model_copy(update={"dataset": small.dataset.model_copy(update={"source": "features"})})
    with pytest.raises(PlainError, match=r"dataset\.source is features: what you would export is in data/raw already"):
        export_features(tmp_path / "set", root, there, licence="ours")
    assert not Path(tmp_path / "set").exists()
