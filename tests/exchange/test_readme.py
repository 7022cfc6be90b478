"""The README's script for a transformers model of pictures or videos, as it is written there, on tiny local models."""

import re
import shutil
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.exchange.feature_arrays import read_arrays
from pipeline.foundations.tables import tables
from stages import evaluate, train
from tests.extras import needs
from tests.presets import ROOT, preset_text
from tests.stages.test_imported import UP_TO_TRAINING

VOCABULARY = ("diving", "singing", "running")
SIDE, FRAMES, SIZE = 16, 4, 8


def tiny(folder: Path, kind: str) -> Path:
    """A model of a few thousand random weights with its processor, as transformers saves them."""
    import transformers

    shape = {"image_size": SIDE, "patch_size": 8, "hidden_size": SIZE, "num_hidden_layers": 1,
             "num_attention_heads": 2, "intermediate_size": 16}  # fmt: skip
    torch.manual_seed(0)
    if kind == "videomae":
        config = transformers.VideoMAEConfig(num_frames=FRAMES, tubelet_size=2, **shape)
        transformers.VideoMAEModel(config).save_pretrained(folder)
        square = {"height": SIDE, "width": SIDE}
        transformers.VideoMAEImageProcessor(size={"shortest_edge": SIDE}, crop_size=square).save_pretrained(folder)
    else:
        transformers.ViTModel(transformers.ViTConfig(**shape)).save_pretrained(folder)
        transformers.ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def videos(names: str, seed: int) -> list[tuple[str, np.ndarray, set[str]]]:
    random = np.random.default_rng(seed)
    return [
        (name, random.integers(0, 256, (FRAMES, 20, 24, 3), np.uint8), {VOCABULARY[number % 3]})
        for number, name in enumerate(names)
    ]


@needs("sentences")
@pytest.mark.parametrize("kind", ["videomae", "vit"])
def test_its_features_are_imported_and_heads_learn_on_them(tmp_path, monkeypatch, kind):
    from transformers import AutoImageProcessor, AutoModel

    monkeypatch.chdir(tmp_path)
    text = (ROOT / "pipeline/exchange/README.md").read_text(encoding="utf-8")
    script = textwrap.dedent(re.search(r"```python\n(.*?)\n *```", text, re.DOTALL)[1])
    assert len([line for line in script.splitlines() if line.strip()]) == 10
    given = {
        "folder": str(tiny(tmp_path / "model", kind)), "vocabulary": VOCABULARY,
        "training": videos("abcdefghijklmnop", 0), "testing": videos("qrstuv", 1),
    }  # fmt: skip
    exec(script, given)
    found = {record.video_id: record.visual for record in read_arrays(tmp_path / "train.npz")}
    shown = AutoImageProcessor.from_pretrained(given["folder"])(list(given["training"][0][1]), return_tensors="pt")
    with torch.inference_mode():
        state = AutoModel.from_pretrained(given["folder"]).eval()(**shown).last_hidden_state
    np.testing.assert_allclose(found["a"], state.reshape(-1, SIZE).mean(0)[None], atol=1e-6)
    (tmp_path / "vocabulary.txt").write_text("".join(f"{name}\n" for name in VOCABULARY))
    told = CliRunner().invoke(app, [
        "import-features", "set", "--labels", "vocabulary.txt", "--train", "train.npz", "--test", "test.npz",
        "--licence", "none", "--model", kind, "--validate-one-in", "4",
    ])  # fmt: skip
    assert told.exit_code == 0, told.output
    changes = {
        "dataset.folder": "set", "model.heads": ["fc"], "train.epochs": 1, "train.batch": 4, "evaluate.bootstrap": 20,
    }  # fmt: skip
    shutil.copytree(ROOT / "data/external", "data/external", ignore=lambda *_: ["audioset", "youtube8m"])
    Path("params.yaml").write_text(preset_text("youtube8m", changes), encoding="utf-8")
    for stage in (*UP_TO_TRAINING, train, evaluate):
        stage.main()
    predictions = tables.read("predictions", Path("data/predictions/predictions.parquet"))
    assert predictions["video_id"].to_pylist() == list("qrstuv")
