"""The M-MiT baseline with sound: SoundNet's embeddings of the videos' own sound, and an epoch of its row of Table 3."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.ablate.rows import ABLATIONS
from pipeline.audio.soundnet import SoundNet
from pipeline.foundations.params import parse_params
from pipeline.foundations.params.editing import edited
from pipeline.foundations.runtime import files
from pipeline.foundations.tables import tables
from pipeline.model.checkpoint import load_model
from stages import extract_vggish, fetch_weights, filter_silent, train, whiten
from tests.audio.conftest import write_sound
from tests.presets import ROOT
from tests.train.miniature import SMALL, changed, write_inputs, write_params

ROW = next(row for row in ABLATIONS["table3"].rows if row.name == "v1-mmit-visual-audio")
MUTE = 3
"""The video whose sound is silent."""


def write_videos(root, count: int) -> None:
    """Videos with a second of sound each, and the table that indexes them."""
    folder, random = root / "data/raw/sample/videos", np.random.default_rng(0)
    folder.mkdir(parents=True)
    ids = [f"v{number:02d}" for number in range(count)]
    for number, name in enumerate(ids):
        write_sound(folder / f"{name}.avi", random.uniform(-0.5, 0.5, 16_000) * (number != MUTE))
    columns = {
        "video_id": ids, "path": [f"{name}.avi" for name in ids], "split": ["train"] * 12 + ["val"] * (count - 12),
        "actions": [[0]] * count, "bytes": [(folder / f"{name}.avi").stat().st_size for name in ids],
        "sha256": [files.sha256(folder / f"{name}.avi") for name in ids],
    }  # fmt: skip
    tables.write("videos", root / "data/index/videos.parquet", tables.from_columns("videos", columns))


@pytest.mark.slow
def test_its_row_trains_for_an_epoch_on_the_sound_of_the_videos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    write_inputs(tmp_path)
    write_videos(tmp_path, 20)
    (tmp_path / "data/external").symlink_to(ROOT / "data/external")
    (tmp_path / "models").mkdir()
    torch.manual_seed(0)
    save_file(SoundNet().state_dict(), tmp_path / "models/soundnet.safetensors")
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    small = {name: values for name, values in SMALL.items() if name in ("train", "execution")}
    small["train"] = small["train"] | {"epochs": 1, "validate_every": 1, "loss": ROW.changes["train.loss"]}
    small["frames"] = {"count": 8, "span": 8}
    write_params(tmp_path, changed(parse_params(edited(text, ROW.changes), ROOT / "params.yaml"), small))
    for stage in (fetch_weights, filter_silent, extract_vggish, whiten, train):
        stage.main()
    whitened = tables.read("whitened", tmp_path / "data/features/whitened.parquet")
    assert "v03" not in whitened["video_id"].to_pylist()
    assert whitened["form"].type.list_size == 1024
    model, about = load_model(tmp_path / "models/m3a")
    assert (about.design.backbone.name, about.sound_size) == ("resnet3d50", 1024)
    assert model.sound.weight.shape == (3, 1024)
    assert torch.isfinite(model.sound.weight).all()
