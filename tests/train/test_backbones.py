"""An epoch of each network that came beside the paper's own, and I3D's fixed features."""

import pytest
import torch

from pipeline.metrics.metrics import map_action
from pipeline.model.checkpoint import load_model
from pipeline.model.normalize import as_clips
from pipeline.train.data import Pick
from pipeline.train.experiment import open_data
from pipeline.train.frozen import BACKBONE, freeze
from pipeline.train.split import read_split
from stages import train
from tests.train.miniature import SMALL, changed, write_inputs, write_params
from tests.train.test_assemble import redesigned

EIGHT = {"frames": {"span": 8, "count": 8, "positions": "linspace"}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "heads", "loss"),
    [
        ("resnet3d50", ("fc",), "wlsep"),
        ("tin_r50", ("fc",), "bce"),
        ("inception_i3d", ("visual", "text"), "asl"),
        ("inception_i3d", ("softmax",), "bce"),
        ("r3d_tiny", ("decoder",), "asl"),
        ("r3d_tiny", ("decoder_text",), "focal"),
    ],
)
def test_it_trains_for_an_epoch_and_loads_again(tmp_path, monkeypatch, params, backbone, heads, loss):
    write_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    changes = SMALL | EIGHT | {
        "backbone": SMALL["backbone"] | {"name": backbone},
        "model": SMALL["model"] | {"heads": heads},
        "train": SMALL["train"] | {"epochs": 1, "validate_every": 1, "loss": loss},
    }  # fmt: skip
    write_params(tmp_path, changed(params, changes))
    train.main()
    model, about = load_model(tmp_path / "models/m3a")
    assert about.design.backbone.name == backbone
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
    with torch.no_grad():
        scores = model.scores(torch.randn(2, 3, 8, 32, 32))
    assert scores.shape == (2, 3)
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.slow
def test_i3ds_fixed_features_are_those_of_the_network(miniature, small, design, tmp_path):
    other = redesigned(design, backbone={"name": "inception_i3d"})
    frozen = small.frozen.model_copy(update={"backbone": "start"})
    how = {"train": small.train, "frozen": frozen, "seed": 7, "execution": small.execution}
    assert (
        freeze(tmp_path / "features", miniature.inputs, design=other, metrics={"map_action": map_action}, **how) == 12
    )
    training = read_split(tmp_path / "features" / "train")
    assert training.views.shape == (2, 12, 1024)
    model, _ = load_model(tmp_path / "features" / BACKBONE)
    data = open_data(miniature.inputs, actions=3, frames=other.frames, train=small.train, seed=7, with_sounds=False)
    with torch.no_grad():
        feature = model.features(as_clips(data.training[Pick(11, 1)].pictures[None], other.frames))[0]
    torch.testing.assert_close(training.views[1, 11], feature, rtol=1e-4, atol=1e-5)  # a batch of another size
