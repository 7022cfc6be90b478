from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pipeline.foundations.runtime.errors import PlainError
from pipeline.metrics.metrics import map_action, map_sample_of_each
from pipeline.model.checkpoint import WEIGHTS, load_model
from pipeline.model.normalize import as_clips
from pipeline.train.assemble import assemble
from pipeline.train.batches import shuffled
from pipeline.train.data import Pick
from pipeline.train.experiment import Experiment, open_data, run
from pipeline.train.frozen import BACKBONE, HeadTrainer, freeze, frozen_splits
from pipeline.train.heads import Trial
from pipeline.train.schedule import learning_rate
from pipeline.train.split import read_split
from tests.train.test_assemble import redesigned

TRIAL = Trial(seed=7, learning_rate=0.05, weight_decay=1e-4, epochs=3)


@pytest.fixture(scope="module")
def frozen_at(miniature, small, design):
    """Writes a folder of frozen features, of a design and a backbone."""

    def make(folder, design=design, backbone="start"):
        frozen = small.frozen.model_copy(update={"backbone": backbone})
        how = {"train": small.train, "frozen": frozen, "seed": 7, "execution": small.execution}
        metrics = {"map_action": map_action}
        assert freeze(folder, miniature.inputs, design=design, metrics=metrics, **how) == 12
        return folder

    return make


@pytest.fixture(scope="module")
def features(frozen_at, tmp_path_factory):
    return frozen_at(tmp_path_factory.mktemp("frozen") / "features")


@pytest.fixture(scope="module")
def trainer(features, miniature, small, design):
    """Trains heads of a design that is changed; of parameters of `train` that are."""

    def make(train=None, frozen=None, **model):
        return HeadTrainer(
            partial(frozen_splits, features),
            miniature.inputs,
            redesigned(design, model=model),
            backbone=features / BACKBONE,
            schedule=small.frozen.model_copy(update=frozen or {}),
            train=small.train.model_copy(update=train or {}),
            metric=map_sample_of_each,
            execution=small.execution,
        )

    return make


def test_features_are_the_fixed_models_of_the_views_that_joint_training_would_see(features, miniature, small, design):
    model, _ = load_model(features / BACKBONE)
    data = open_data(miniature.inputs, actions=3, frames=design.frames, train=small.train, seed=7, with_sounds=True)
    training = read_split(features / "train")
    assert training.views.shape == (2, 12, model.backbone.features)
    for view, row in ((0, 0), (1, 0), (1, 11)):
        example = data.training[Pick(row, view)]
        with torch.no_grad():
            feature = model.features(as_clips(example.pictures[None], design.frames))[0]
        torch.testing.assert_close(training.views[view, row], feature, rtol=1e-4, atol=1e-5)
        assert torch.equal(training.sounds[row], example.sounds)
        assert torch.equal(training.targets_of(np.array(row)), example.targets)
    assert not torch.equal(training.views[0], training.views[1])


def test_whatever_the_heads_the_features_and_the_fixed_model_are_the_same_bytes(features, frozen_at, design, tmp_path):
    other = redesigned(
        design,
        model={"heads": ("audio",), "relation": "transformer", "control": "free_matrix", "late_fusion": True},
        lexicon={"draw": "mean", "forms": 3, "combine": "one"},
        transformer={"layers": 3, "block": "full"},
    )
    frozen_at(tmp_path / "features", other)
    for path in (file for file in features.rglob("*") if file.is_file()):
        assert (tmp_path / "features" / path.relative_to(features)).read_bytes() == path.read_bytes(), path


@pytest.mark.parametrize("head", ["fc", "visual"])
def test_the_backbone_is_trained_first_where_that_is_asked_for(
    frozen_at, miniature, design, tmp_path, monkeypatch, head
):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    trained, about = load_model(frozen_at(tmp_path / "features", backbone=head) / BACKBONE)
    fresh, _, _ = assemble(miniature.inputs, redesigned(design, model={"heads": ("fc",)}), seed=7)
    assert about.design.model.heads == (head,)
    names = [name for name, _ in fresh.backbone.named_parameters()]
    assert any(not torch.equal(trained.backbone.state_dict()[n], fresh.backbone.state_dict()[n]) for n in names)


def test_the_backbone_is_trained_as_a_model_is_whose_head_has_that_rate(
    frozen_at, miniature, small, design, tmp_path, monkeypatch
):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    frozen_at(tmp_path / "features", design, backbone="fc")
    assert small.frozen.head_rate == 10.0
    experiment = Experiment(
        inputs=miniature.inputs,
        design=redesigned(design, model={"heads": ("fc",)}),
        train=small.train.model_copy(update={"head_rate": 10.0, "head_weight_decay": small.train.weight_decay / 10}),
        metrics={"map_action": map_action},
        seed=7,
        execution=small.execution,
    )
    run(experiment, model_folder=tmp_path / "model", curves_folder=tmp_path / "curves")
    frozen, joint = (tmp_path / name / WEIGHTS for name in (f"features/{BACKBONE}", "model"))
    assert frozen.read_bytes() == joint.read_bytes()


def test_damaged_features_are_a_plain_error(tmp_path):
    (tmp_path / "views.npy").write_bytes(b"no array")
    with pytest.raises(PlainError, match="cannot be read as frozen features"):
        read_split(tmp_path)


def test_heads_learn_and_the_backbone_does_not(features, trainer):
    heads = trainer(frozen={"batch": 6})
    (fitted,) = heads.fit([TRIAL._replace(epochs=12)], keep=True)
    model, (fixed, _) = heads.model(fitted), load_model(features / BACKBONE)
    for name, tensor in fixed.backbone.state_dict().items():
        assert torch.equal(model.backbone.state_dict()[name], tensor)
    assert len(fitted.losses) == 12
    assert fitted.losses[-1] < fitted.losses[0]
    assert not fitted.diverged
    split = read_split(features / "val")
    with torch.no_grad():
        scores = model.logits(split.views[0], split.sounds).sigmoid().numpy()
    assert fitted.score == pytest.approx(map_sample_of_each(scores[None], split.targets.toarray())[0], abs=1e-9)


def test_a_seed_says_all_and_another_fit_leaves_nothing_behind(trainer):
    heads = trainer()
    (first,), others, (again,) = (heads.fit(t, keep=True) for t in ([TRIAL], [TRIAL._replace(seed=8)], [TRIAL]))
    heads.model(first)
    (once_more,) = heads.fit([TRIAL], keep=True)
    for name, weight in first.weights.items():
        assert torch.equal(weight, again.weights[name])
        assert torch.equal(weight, once_more.weights[name])
    assert any(not torch.equal(first.weights[name], others[0].weights[name]) for name in first.weights)


@pytest.mark.parametrize("changes", [{}, {"gradient_clip": 0.05}, {"ema": 0.8}, {"loss": "wlsep"}, {"nesterov": False}])
def test_a_head_is_torchs_own_sgd_written_out(features, trainer, miniature, design, small, changes):
    """One head at a time, by torch.optim.SGD and torch.nn.utils, for two epochs: the slow literal form."""
    from pipeline.train.distributed import init_distributed
    from pipeline.train.experiment import make_loss

    trial, train = TRIAL._replace(epochs=2), small.train.model_copy(update=changes)
    frozen = small.frozen.model_copy(update={"learning_rate": 0.05, "epochs": 2, "milestones": (1,)})
    others = [trial._replace(learning_rate=0.3), trial, trial._replace(seed=8)]
    fitted = trainer(changes, {"epochs": 2, "milestones": (1,)}, late_fusion=True).fit(others, keep=True)[1]
    split = read_split(features / "train")
    model, _, _ = assemble(miniature.inputs, redesigned(design, model={"late_fusion": True}), seed=7)
    weights = {name: w for name, w in model.named_parameters() if not name.startswith("backbone.")}
    average = None
    sgd = torch.optim.SGD(
        weights.values(), lr=0.05, momentum=0.9, nesterov=train.nesterov, weight_decay=trial.weight_decay
    )
    with init_distributed("cpu") as context:
        loss = make_loss(train, split.targets.sum(0), context)
        for epoch in range(2):
            batches = shuffled(12, 4, seed=7, purpose="train", epoch=epoch)
            for number, batch in enumerate(batches):
                rows = np.array([pick.row for pick in batch])
                sgd.param_groups[0]["lr"] = learning_rate(epoch + number / len(batches), frozen)
                sgd.zero_grad()
                loss(model.logits(split.views[epoch][rows], split.sounds[rows]), split.targets_of(rows)).backward()
                if train.gradient_clip is not None:
                    torch.nn.utils.clip_grad_norm_(weights.values(), train.gradient_clip)
                sgd.step()
                now = {name: weight.detach().clone() for name, weight in weights.items()}
                if train.ema is not None and average is not None:
                    now = {name: train.ema * average[name] + (1 - train.ema) * w for name, w in now.items()}
                average = now
    assert average.keys() == fitted.weights.keys()
    for name, weight in average.items():
        torch.testing.assert_close(fitted.weights[name], weight, rtol=1e-4, atol=1e-6)


DESIGNS = {
    "fc": {"heads": ("fc",)},
    "visual": {"heads": ("visual",)},
    "audio": {"heads": ("audio",)},
    "text": {"heads": ("text",)},
    "audio_text": {"heads": ("audio_text",)},
    "all": {"heads": ("visual", "audio", "text")},
    **{
        control: {"heads": ("audio", "text"), "control": control}
        for control in ("shuffled_forms", "random_forms", "no_edges", "rewired", "free_matrix")
    },
    "late_fusion": {"heads": ("fc",), "late_fusion": True},
    "transformer": {"heads": ("visual", "audio_text"), "relation": "transformer"},
}


@pytest.mark.parametrize("name", DESIGNS)
def test_many_heads_side_by_side_end_as_each_alone(trainer, name):
    """To a tolerance of 1e-4 of a weight: products of many matrices round otherwise than of one."""
    heads = trainer(**DESIGNS[name])
    trials = [
        Trial(seed, rate, decay, epochs)
        for epochs in (2, 3)
        for seed in (7, 8)
        for rate, decay in ((0.02, 0.0), (0.1, 1e-2))
    ]
    together = heads.fit(trials, keep=True)
    assert [fitted.trial for fitted in together] == trials
    for fitted in (together[1], together[-2]):
        (alone,) = heads.fit([fitted.trial], keep=True)
        for key, weight in alone.weights.items():
            torch.testing.assert_close(fitted.weights[key], weight, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(fitted.losses, alone.losses, rtol=1e-5)


def test_forms_that_are_drawn_anew_are_each_seeds_own(features, miniature, small, design):
    drawn = redesigned(design, model={"heads": ("audio",)}, lexicon={"draw": "resample"})
    how = {
        "backbone": features / BACKBONE,
        "schedule": small.frozen,
        "train": small.train,
        "metric": map_sample_of_each,
        "execution": small.execution,
    }
    splits = partial(frozen_splits, features)
    heads = HeadTrainer(splits, miniature.inputs, drawn, **how)
    together = heads.fit([TRIAL, TRIAL._replace(seed=8)], keep=True)
    (alone,) = HeadTrainer(splits, miniature.inputs, drawn, **how).fit([TRIAL._replace(seed=8)], keep=True)
    for key, weight in alone.weights.items():
        torch.testing.assert_close(together[1].weights[key], weight, rtol=1e-4, atol=1e-6)
    forms = [heads.model(fitted).head.learners["audio"].forms for fitted in together]
    assert not torch.equal(*forms)


def test_a_trial_that_diverges_ends_no_other(trainer):
    heads = trainer(heads=("audio", "text"))
    wild = TRIAL._replace(learning_rate=1e30)
    together = heads.fit([wild, TRIAL], keep=True)
    assert [fitted.diverged for fitted in together] == [True, False]
    assert np.isnan(together[0].score)
    assert np.isfinite(together[1].score)
    (alone,) = heads.fit([TRIAL], keep=True)
    for key, weight in alone.weights.items():
        torch.testing.assert_close(together[1].weights[key], weight, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("control", ["shuffled_forms", "random_forms", "no_edges", "free_matrix"])
def test_every_control_trains_to_something_else(features, trainer, control):
    split, logits = read_split(features / "val"), []
    for choice in ("none", control):
        heads = trainer(heads=("audio", "text"), control=choice)
        model = heads.model(heads.fit([TRIAL], keep=True)[0])
        logits.append(model.logits(split.views[0]).detach())
    assert not torch.allclose(*logits)


def test_late_fusion_hears_the_video_and_silence_adds_nothing(features, trainer):
    heads = trainer(heads=("fc",), late_fusion=True)
    model = heads.model(heads.fit([TRIAL], keep=True)[0])
    split = read_split(features / "train")
    silent = ~split.sounds.any(dim=1)
    with torch.no_grad():
        heard, unheard = model.logits(split.views[0], split.sounds), model.logits(split.views[0])
    assert silent.any()
    assert torch.equal(heard[silent], unheard[silent])
    assert not torch.isclose(heard[~silent], unheard[~silent]).all()


def test_a_batch_larger_than_the_split_is_a_plain_error(trainer):
    with pytest.raises(PlainError, match=r"frozen\.batch is 13, but there are only 12 training videos"):
        trainer(frozen={"batch": 13}).fit([TRIAL], keep=False)


def test_the_loss_of_an_epoch_is_the_mean_over_its_batches(features, trainer):
    """With a rate of nearly nothing, the loss of the weights that it starts from."""
    heads = trainer(heads=("fc",))
    (fitted,) = heads.fit([TRIAL._replace(learning_rate=1e-12, epochs=1)], keep=True)
    split = read_split(features / "train")
    with torch.no_grad():
        logits = heads.model(fitted).logits(split.views[0])
    expected = F.binary_cross_entropy_with_logits(logits, torch.from_numpy(split.targets.toarray()).float()).item()
    assert fitted.losses[0] == pytest.approx(expected, rel=1e-5)
