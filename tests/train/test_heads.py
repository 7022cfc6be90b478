"""Heads whose weights stay finite where their scores do not."""

import numpy as np
import torch

from pipeline.metrics.metrics import map_sample_of_each
from pipeline.model.loss import bce
from pipeline.model.model import HeadModel
from pipeline.train.assemble import assemble
from pipeline.train.heads import Setting, Trial, fit_heads
from pipeline.train.split import Split
from tests.train.test_assemble import redesigned


def split_of(features: torch.Tensor) -> Split:
    """Twelve videos of three actions in one view."""
    targets = torch.zeros(12, 3, dtype=torch.bool)
    targets[torch.arange(12), torch.arange(12) % 3] = True
    return Split(features[None], targets, torch.empty(12, 0))


def test_a_head_whose_scores_are_no_numbers_has_diverged_though_its_weights_are_finite(miniature, design, small):
    model, _, _ = assemble(miniature.inputs, redesigned(design, model={"heads": ("fc",)}), seed=7)
    head = HeadModel(model)
    features = torch.randn(12, model.backbone.features, generator=torch.Generator().manual_seed(1))
    setting = Setting(
        schedule=small.frozen,
        train=small.train,
        loss=bce,
        metric=map_sample_of_each,
        on_epoch_start=lambda seed, epoch: False,
        keep=True,
    )
    trial = Trial(seed=7, learning_rate=0.01, weight_decay=0.0, epochs=1)
    (good,) = fit_heads({7: head}, [trial], split_of(features), split_of(features), setting)
    (lost,) = fit_heads({7: head}, [trial], split_of(features), split_of(features * 1e38 * 300), setting)
    for one in (good, lost):
        assert all(weight.isfinite().all() for weight in one.weights.values())
        assert np.isfinite(one.losses).all()
    assert (good.diverged, lost.diverged) == (False, True)
    assert np.isfinite(good.score)
    assert np.isnan(lost.score)
