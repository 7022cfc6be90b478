import json
import os
import subprocess
import sys

import pytest
import torch

from pipeline.foundations.runtime.errors import PlainError
from pipeline.model.backbones import BatchNorm
from pipeline.model.checkpoint import DESCRIPTION, WEIGHTS, load_model, save_model
from pipeline.train.assemble import assemble

CLIPS = torch.randn(2, 3, 2, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def make(miniature, design):
    def assembled(**model):
        changed = design.__class__(**vars(design) | {"model": design.model.model_copy(update=model)})
        return assemble(miniature.inputs, changed, seed=3)

    return assembled


@pytest.mark.parametrize(
    "heads", [("visual",), ("audio",), ("text",), ("audio_text",), ("fc",), ("visual", "audio", "text")]
)
@pytest.mark.parametrize("relation", ["gcn", "transformer"])
def test_a_model_comes_back_with_the_same_scores(make, tmp_path, heads, relation):
    model, _, description = make(heads=heads, relation=relation)
    save_model(tmp_path / "model", model, description)
    loaded, read = load_model(tmp_path / "model")
    assert read == description
    assert not loaded.training
    assert torch.equal(loaded.scores(CLIPS), model.eval().scores(CLIPS))


def test_batch_norm_settings_come_back(make, tmp_path):
    model, _, description = make()
    model.batch_norm = BatchNorm(eps=1e-3, momentum=0.2)
    save_model(tmp_path / "model", model, description.__class__(**vars(description) | {"batch_norm": model.batch_norm}))
    loaded, _ = load_model(tmp_path / "model")
    assert loaded.batch_norm == BatchNorm(eps=1e-3, momentum=0.2)
    assert torch.equal(loaded.scores(CLIPS), model.eval().scores(CLIPS))


def test_loading_draws_nothing(make, tmp_path):
    model, _, description = make()
    save_model(tmp_path / "model", model, description)
    before = torch.get_rng_state()
    load_model(tmp_path / "model")
    assert torch.equal(torch.get_rng_state(), before)


def test_loading_needs_no_compiler(make, tmp_path):
    """PyTorch's own, which it imports where a tensor without data is drawn or joined: seconds in every worker."""
    model, _, description = make(heads=("visual", "audio", "text"))
    save_model(tmp_path / "model", model, description)
    code = (
        "import sys; from pathlib import Path; from pipeline.model.checkpoint import load_model; "
        f"load_model(Path({str(tmp_path / 'model')!r})); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_where_the_weights_started_is_not_told(make, tmp_path):
    model, _, description = make()
    save_model(tmp_path / "model", model, description)
    told = json.loads((tmp_path / "model" / DESCRIPTION).read_text())
    assert told["design"]["backbone"] == {"name": "r3d_tiny", "pooling": "global"}
    assert told["actions"] == ["clapping", "diving", "singing"]


def test_what_an_earlier_version_wrote_is_refused_in_plain_words(make, tmp_path):
    """Models said how they were trained, until frozen training had stages of its own."""
    model, _, description = make()
    save_model(tmp_path / "model", model, description)
    path = tmp_path / "model" / DESCRIPTION
    path.write_text(json.dumps(json.loads(path.read_text()) | {"mode": "joint"}))
    with pytest.raises(PlainError, match=r"not a model's description as this version writes it, for mode is none of"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        (WEIGHTS, lambda data: data[:-8], "no model can be read there"),
        (WEIGHTS, None, "no model can be read there"),
        (DESCRIPTION, None, "no model can be read there"),
        (DESCRIPTION, lambda data: data[:-8], "not a model's description"),
        (DESCRIPTION, lambda data: data.replace(b'"hidden": 8', b'"hidden": "8"'), "not a model's description"),
        (DESCRIPTION, lambda data: data.replace(b'"normalization"', b'"normalisation"'), "not a model's description"),
        (DESCRIPTION, lambda data: data.replace(b'"hidden": 8', b'"hidden": 9'), "weights and description do not fit"),
        (DESCRIPTION, lambda data: data.replace(b'"diving",', b""), "weights and description do not fit"),
    ],
)
def test_what_does_not_fit_is_named(make, tmp_path, file, damage, message):
    model, _, description = make()
    save_model(tmp_path / "model", model, description)
    path = tmp_path / "model" / file
    path.write_bytes(damage(path.read_bytes())) if damage else path.unlink()
    with pytest.raises(PlainError, match=message):
        load_model(tmp_path / "model")


def test_a_weight_that_is_not_finite_is_named(make, tmp_path):
    model, _, description = make()
    with torch.no_grad():
        model.head.learners["visual"].relation.weights[0][1, 2] = float("inf")
    save_model(tmp_path / "model", model, description)
    with pytest.raises(PlainError, match=r"visual\.relation\.weights\.0: has values that are not finite"):
        load_model(tmp_path / "model")


class Payload:
    """Unpickled without care, this creates the folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_pickle_in_the_place_of_weights_is_refused_and_never_run(make, tmp_path):
    model, _, description = make()
    save_model(tmp_path / "model", model, description)
    torch.save({"backbone.stem.conv.weight": Payload(tmp_path / "owned")}, tmp_path / "model" / WEIGHTS)
    with pytest.raises(PlainError, match="no model can be read there"):
        load_model(tmp_path / "model")
    assert not (tmp_path / "owned").exists()
