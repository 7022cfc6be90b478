"""Heads that diverge: in scores alone, or in an epoch that a rerun must not go on from."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from pipeline.foundations.runtime.errors import PlainError
from pipeline.metrics.metrics import map_sample_of_each
from pipeline.model.loss import bce
from pipeline.model.model import HeadModel
from pipeline.train.assemble import assemble
from pipeline.train.heads import Setting, Trial, fit_heads
from pipeline.train.split import Split
from pipeline.train.stack_state import Checkpoint
from pipeline.train.state import read_state, write_state
from tests.train.test_assemble import redesigned


def split_of(features: torch.Tensor) -> Split:
    """Twelve videos of three actions in one view."""
    targets = csr_array(np.eye(3, dtype=bool)[np.arange(12) % 3])
    return Split(features[None], targets, torch.empty(12, 0))


@pytest.fixture
def model(miniature, design):
    return assemble(miniature.inputs, redesigned(design, model={"heads": ("fc",)}), seed=7)[0]


@pytest.fixture
def head(model):
    return HeadModel(model)


@pytest.fixture
def features(model):
    return torch.randn(12, model.backbone.features, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def setting(small):
    return Setting(
        schedule=small.frozen,
        train=small.train,
        loss=bce,
        metric=map_sample_of_each,
        on_epoch_start=lambda seed, epoch: False,
        keep=True,
    )


def test_a_head_whose_scores_are_no_numbers_has_diverged_though_its_weights_are_finite(head, features, setting):
    trial = Trial(seed=7, learning_rate=0.01, weight_decay=0.0, epochs=1)
    (good,) = fit_heads({7: head}, [trial], split_of(features), split_of(features), setting)
    (lost,) = fit_heads({7: head}, [trial], split_of(features), split_of(features * 1e38 * 300), setting)
    for one in (good, lost):
        assert all(weight.isfinite().all() for weight in one.weights.values())
        assert np.isfinite(one.losses).all()
    assert (good.diverged, lost.diverged) == (False, True)
    assert np.isfinite(good.score)
    assert np.isnan(lost.score)


def test_a_state_that_diverged_is_not_saved_so_that_a_rerun_does_not_go_on_from_it(head, features, setting, tmp_path):
    def fit(views, epochs):
        own = setting._replace(checkpoint=Checkpoint(tmp_path / "state.safetensors"))
        trial = Trial(seed=7, learning_rate=0.01, weight_decay=0.0, epochs=epochs)
        (fitted,) = fit_heads({7: head}, [trial], views, split_of(features), own)
        return fitted

    lost = Split(torch.stack([features, features * float("nan")]), *split_of(features)[1:])  # of the second epoch
    first, again = fit(lost, 3), fit(lost, 3)
    for one in (first, again):
        assert one.diverged
        assert np.isfinite(one.losses).tolist() == [True, False]
    assert len(Checkpoint(tmp_path / "state.safetensors").losses) == 1


def test_a_state_with_numbers_that_are_none_is_refused_by_name(head, features, setting, tmp_path):
    path = tmp_path / "state.safetensors"
    trial = Trial(seed=7, learning_rate=0.01, weight_decay=0.0, epochs=1)
    fit_heads({7: head}, [trial], split_of(features), split_of(features), setting._replace(checkpoint=Checkpoint(path)))
    tensors, content = read_state(path, dict)
    tensors["weights.1"][0, 2] = torch.nan
    write_state(path, tensors, content)
    with pytest.raises(PlainError, match=r"state\.safetensors: weights\.1: has values that are not finite"):
        Checkpoint(path)
