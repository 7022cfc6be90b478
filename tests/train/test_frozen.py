from dataclasses import replace

import pytest
import torch

from pipeline.foundations.runtime.errors import PlainError
from pipeline.metrics.metrics import map_action
from pipeline.model.checkpoint import load_model
from pipeline.model.normalize import as_clips
from pipeline.train import frozen as frozen_features
from pipeline.train.data import Pick
from pipeline.train.experiment import open_data
from pipeline.train.frozen import BACKBONE, FEATURES, Source, freeze, train_heads
from pipeline.train.split import read_split
from tests.train.test_assemble import redesigned


@pytest.fixture(scope="module")
def source(miniature, small, design):
    return Source(
        videos=miniature.videos, knowledge=miniature.knowledge, design=design, train=small.train,
        frozen=small.frozen.model_copy(update={"backbone": "start"}), metrics={"map_action": map_action}, seed=7,
        execution=small.execution,
    )  # fmt: skip


@pytest.fixture(scope="module")
def frozen(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("frozen") / "features"
    assert freeze(folder, source) == 12
    return folder


def with_model(source, **changes):
    return replace(source, design=redesigned(source.design, model=changes))


def test_features_are_the_fixed_models_of_the_views_that_joint_training_would_see(frozen, source):
    model, _ = load_model(frozen / BACKBONE)
    data = open_data(source.videos, actions=3, frames=source.design.frames, train=source.train, seed=7, hears=True)
    training = read_split(frozen / FEATURES, "train")
    assert training.views.shape == (2, 12, model.backbone.features)
    for view, row in ((0, 0), (1, 0), (1, 11)):
        example = data.training[Pick(row, view)]
        with torch.no_grad():
            feature = model.features(as_clips(example.pictures[None], source.design.frames))[0]
        torch.testing.assert_close(training.views[view, row], feature, rtol=1e-4, atol=1e-5)
        assert torch.equal(training.sounds[row], example.sounds)
        assert torch.equal(training.targets[row], example.targets)
    assert not torch.equal(training.views[0], training.views[1])


def test_whatever_the_heads_the_features_and_the_fixed_model_are_the_same_bytes(frozen, source, tmp_path):
    other = redesigned(
        source.design,
        model={"heads": ("audio",), "relation": "transformer", "control": "free_matrix", "late_fusion": True},
        lexicon={"draw": "mean", "forms": 3, "combine": "one"},
        transformer={"layers": 3, "block": "full"},
    )
    freeze(tmp_path / "features", replace(source, design=other))
    for path in (file for file in frozen.rglob("*") if file.is_file()):
        assert (tmp_path / "features" / path.relative_to(frozen)).read_bytes() == path.read_bytes(), path


def test_heads_learn_and_the_backbone_does_not(frozen, source):
    model, _, history = train_heads(frozen, source, seed=7)
    fixed, _ = load_model(frozen / BACKBONE)
    for name, tensor in fixed.backbone.state_dict().items():
        assert torch.equal(model.backbone.state_dict()[name], tensor)
    losses = [record["train/loss"] for record in history]
    assert len(losses) == source.frozen.epochs
    assert losses[-1] < losses[0]


def test_a_seed_says_all(frozen, source):
    first, again, other = (train_heads(frozen, source, seed=seed)[0].head.state_dict() for seed in (7, 7, 8))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_the_first_step_is_the_joint_loops_on_the_head_written_out(frozen, source):
    """SGD with Nesterov momentum from rest: w - rate (1 + momentum) (gradient + decay w)."""
    from pipeline.model.loss import bce
    from pipeline.train.assemble import assemble
    from pipeline.train.batches import shuffled

    one = replace(source, frozen=source.frozen.model_copy(update={"epochs": 1, "batch": 12}))
    one = with_model(one, heads=("fc",))
    trained, _, _ = train_heads(frozen, one, seed=3)
    model, _, _ = assemble(one.knowledge, one.design, seed=3)
    split = read_split(frozen / FEATURES, "train")
    rows = [pick.row for pick in shuffled(12, 12, seed=3, purpose="train", epoch=0)[0]]
    weight = model.head.weight.detach().requires_grad_()
    loss = bce(split.views[0][rows] @ weight.T + model.head.bias.detach(), split.targets[rows])
    (gradient,) = torch.autograd.grad(loss, weight)
    expected = weight - 0.01 * 1.9 * (gradient + 1e-4 * weight)
    torch.testing.assert_close(trained.head.weight.detach(), expected.detach(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("control", ["shuffled_forms", "random_forms", "no_edges", "free_matrix"])
def test_every_control_trains_to_something_else(frozen, source, control):
    plain, _, _ = train_heads(frozen, with_model(source, heads=("audio", "text")), seed=7)
    model, _, _ = train_heads(frozen, with_model(source, heads=("audio", "text"), control=control), seed=7)
    features = read_split(frozen / FEATURES, "val").views[0]
    with torch.no_grad():
        assert not torch.allclose(model.logits(features), plain.logits(features))


def test_late_fusion_hears_the_video_and_silence_adds_nothing(frozen, source):
    model, _, _ = train_heads(frozen, with_model(source, heads=("fc",), late_fusion=True), seed=7)
    split = read_split(frozen / FEATURES, "train")
    silent = ~split.sounds.any(dim=1)
    with torch.no_grad():
        heard, unheard = model.logits(split.views[0], split.sounds), model.logits(split.views[0])
    assert silent.any()
    assert torch.equal(heard[silent], unheard[silent])
    assert not torch.isclose(heard[~silent], unheard[~silent]).all()


@pytest.mark.parametrize("head", ["fc", "visual"])
def test_the_backbone_is_trained_first_where_that_is_asked_for(source, tmp_path, monkeypatch, head):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    freeze(tmp_path / "features", replace(source, frozen=source.frozen.model_copy(update={"backbone": head})))
    trained, about = load_model(tmp_path / "features" / BACKBONE)
    fresh, _, _ = frozen_features.assemble(source.knowledge, with_model(source, heads=("fc",)).design, seed=7)
    assert about.model.heads == (head,)
    assert not torch.equal(trained.backbone.stem.conv.weight, fresh.backbone.stem.conv.weight)


def test_a_damaged_file_of_features_is_named(tmp_path):
    (tmp_path / FEATURES).write_bytes(b"no tensors")
    with pytest.raises(PlainError, match=r"features\.safetensors: cannot be read as frozen features"):
        read_split(tmp_path / FEATURES, "train")
