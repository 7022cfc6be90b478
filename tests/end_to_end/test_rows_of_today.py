"""Rows beside the paper's own: each trains for an epoch on the rendered sample, its clips, sounds and lexicons."""

import pytest
import torch
from safetensors.torch import save_file

from pipeline.ablate.rows import BASELINES, RIVALS, Row
from pipeline.audio.soundnet import SoundNet
from pipeline.model.checkpoint import load_model
from stages import extract_vggish, fetch_weights, train, whiten
from tests.end_to_end.clones import change_params, copy_run, nested

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline_run")]

SIZES = {
    "clips": {"short_side": 96}, "train": {"epochs": 1, "validate_every": 1, "jitter": [56, 72], "crop": 56},
    "evaluate": {"short_side": 56, "crop": 56}, "execution": {"workers": 1},
}  # fmt: skip
"""The sample's, where a row asks for the 224 pixels of its publication: 16 times the work."""
ROWS = [*BASELINES.rows, *(Row(*rival) for rival in RIVALS)]


@pytest.fixture
def sample(pipeline_run, tmp_path, monkeypatch):
    root = copy_run(pipeline_run, tmp_path / "clone")
    monkeypatch.chdir(root)
    monkeypatch.setenv("DVC_ROOT", str(root))
    return root


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_it_trains_for_an_epoch_on_rendered_videos(sample, row):
    change_params(sample, nested(row.changes))
    change_params(sample, SIZES)
    if row.changes.get("vggish.source") == "soundnet":
        torch.manual_seed(0)
        save_file(SoundNet().state_dict(), sample / "models/soundnet.safetensors")
        for stage in (fetch_weights, extract_vggish, whiten):
            stage.main()
    train.main()
    model, about = load_model(sample / "models/m3a")
    assert about.design.backbone.name == row.changes.get("backbone.name", "r3d_tiny")
    assert about.design.model.heads == tuple(row.changes["model.heads"])
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
    if row.changes["model.late_fusion"]:
        assert model.sound.weight.shape[1] == (1024 if "vggish.source" in row.changes else 384)
