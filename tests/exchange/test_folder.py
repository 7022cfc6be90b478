"""The model folder that stands alone: its scores in an environment of three packages, its card, its files."""

import importlib.metadata as metadata
import json
import re
import shutil
import subprocess
import venv
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.exchange.card import card
from pipeline.exchange.export import ClipShape, export
from pipeline.exchange.folder import write_folder
from pipeline.exchange.predict import predict
from pipeline.foundations.tables import tables
from pipeline.model.checkpoint import load_model
from tests.evaluate.miniature import write_video
from tests.extras import needs

ALONE = ("onnxruntime", "av", "numpy")
SOURCE = {"source": "sample", "folder": "data/raw"}


def _with_requirements(names):
    """Distributions, and what they require without an extra, all the way down."""
    wanted, found = list(names), {}
    while wanted:
        name = re.match(r"[\w.-]+", wanted.pop())[0].lower()
        if name not in found:
            found[name] = metadata.distribution(name)
            wanted += [line for line in found[name].requires or [] if "extra ==" not in line]
    return found.values()


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """The interpreter of an environment that has onnxruntime, av and numpy, and what these need, alone."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False)
    site = next(folder.glob("lib/python*/site-packages"))
    for distribution in _with_requirements(ALONE):
        for top in {Path(str(file)).parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
            (site / top).unlink(missing_ok=True)
            (site / top).symlink_to(distribution.locate_file(top))
    return folder / "bin/python"


@pytest.fixture
def written(model_folder, evaluate, params, tmp_path):
    """A folder of a trained model, by itself."""
    model, about = load_model(model_folder)
    to = tmp_path / "alone"
    export(load_model(model_folder)[0], to, ClipShape(about.design.frames.count, evaluate.crop, evaluate.crop), {})
    write_folder(
        to,
        model,
        about,
        evaluate=evaluate,
        media=params.media,
        card=card(about, data=SOURCE, metrics=None, split="test"),
    )
    return to


@needs("onnx")
def test_three_packages_give_the_reference_scores(clean, written, tmp_path):
    without = subprocess.run([clean, "-c", "import torch"], capture_output=True, text=True)
    assert "No module named 'torch'" in without.stderr
    away = shutil.copytree(written, tmp_path / "elsewhere")
    (away / "model.pt2").unlink()
    told = subprocess.run([clean, "infer.py", "--check"], cwd=away, capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")
    assert float(re.search(r"within (\S+) of", told.stdout)[1]) < 1e-4
    expected = json.loads((away / "reference.json").read_text())["scores"]
    (away / "reference.json").write_text(json.dumps({"scores": [expected[0] + 0.01, *expected[1:]]}))
    assert subprocess.run([clean, "infer.py", "--check"], cwd=away, capture_output=True).returncode == 1


@needs("onnx")
def test_any_video_scores_as_predict_does(clean, written, model_folder, evaluate, params, tmp_path):
    import torch

    video = tmp_path / "some.avi"
    write_video(video, seed=5)
    (ours,) = predict([video], model_folder, top=5, evaluate=evaluate, media=params.media, device=torch.device("cpu"))
    told = subprocess.run([clean, written / "infer.py", video], capture_output=True, text=True, check=True)
    theirs = json.loads(told.stdout)["actions"]
    assert list(theirs) == [one.action for one in ours.actions]
    np.testing.assert_allclose(list(theirs.values()), [one.score for one in ours.actions], atol=1.5e-4)


def test_the_card_says_what_was_measured(model_folder):
    _, about = load_model(model_folder)
    rows = [
        (row, name, 40.0 + len(row), 30.0, 50.0)
        for row in ("chance", "frequency", "lead", "model")
        for name in ("map_sample", "top1")
    ]
    text = card(about, data=SOURCE, metrics=tables.from_rows("metrics", rows), split="test")
    _, head, body = text.split("---\n", 2)
    facts = yaml.safe_load(head)
    assert (facts["license"], facts["library_name"], facts["pipeline_tag"]) == (
        "apache-2.0",
        "onnx",
        "video-classification",
    )
    (result,) = facts["model-index"][0]["results"]
    assert result["dataset"] == {"type": "sample", "name": "sample", "split": "test"}
    assert result["metrics"] == [{"type": "map_sample", "value": 45.0}, {"type": "top1", "value": 45.0}]
    assert "| map_sample | 45.0 (30.0 to 50.0) | 49.0 | 46.0 |" in body
    assert "moving shapes alone" in body


def test_a_model_of_other_data_without_metrics_says_so(model_folder):
    _, about = load_model(model_folder)
    text = card(about, data={"source": "mmit", "folder": "/data/mmit_v1"}, metrics=None, split="test")
    facts = yaml.safe_load(text.split("---\n")[1])
    assert facts["license"] == "other"
    assert "model-index" not in facts
    assert "Not evaluated" in text
    assert "/data/" not in text
