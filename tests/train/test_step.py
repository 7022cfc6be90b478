"""A step that is only asked for: the check of its loss on the device, and the loss that is read late."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from pipeline.model.backbones.factored import Factored
from pipeline.model.loss import bce
from pipeline.train import loop
from pipeline.train.data import Batch
from pipeline.train.distributed import DistributedContext
from pipeline.train.loop import Run
from pipeline.train.objective import Objective
from pipeline.train.optimizer import make_optimizer
from pipeline.train.state import Learner
from pipeline.train.step import LateLoss, clip_of, descend, skip_unless_finite
from tests.model.conftest import design_with, make_model

__all__ = ["design_with", "make_model"]  # fixtures of others, handed on


def stepped(model, optimizer, factor):
    """One step on the model's sum times a factor."""
    loss = model(torch.ones(1, 3)).sum() * factor
    skip_unless_finite(optimizer, loss)
    descend(loss, model, optimizer, average=None, clip=None)


def state(model, optimizer):
    momenta = [optimizer.state[weight]["momentum_buffer"] for weight in model.parameters()]
    return [tensor.detach().clone() for tensor in (*model.parameters(), *momenta)]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_leaves_weights_and_momentum(params, bad):
    model = nn.Linear(3, 2)
    optimizer = make_optimizer(model, params.train, fused=True)
    stepped(model, optimizer, 1.0)
    before = state(model, optimizer)
    stepped(model, optimizer, bad)
    assert all(torch.equal(one, other) for one, other in zip(before, state(model, optimizer), strict=True))
    stepped(model, optimizer, 1.0)
    assert not any(torch.equal(one, other) for one, other in zip(before, state(model, optimizer), strict=True))


def test_the_fused_update_is_the_plain_one(params):
    """To the rounding of one multiplication and addition."""
    model = nn.Linear(3, 2)
    other = copy.deepcopy(model)
    fused, plain = make_optimizer(model, params.train, fused=True), make_optimizer(other, params.train)
    for factor in (1.0, -2.0, 0.5):
        stepped(model, fused, factor)
        descend(other(torch.ones(1, 3)).sum() * factor, other, plain, average=None, clip=None)
    for one, same in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, same, rtol=1e-6, atol=1e-7)


def test_a_loss_on_the_cpu_is_read_as_it_is():
    assert LateLoss(torch.tensor(0.1)).read() == float(torch.tensor(0.1))


def test_a_step_reads_nothing_from_the_device(params):
    """In PyTorch's fake tensors, which have shapes and no values: whatever asks for a value raises."""
    train = params.train.model_copy(update={"gradient_clip": 1.0})
    with FakeTensorMode():
        model = nn.Sequential(nn.Conv3d(3, 4, 1), nn.BatchNorm3d(4), nn.Flatten(), nn.Linear(32, 2))
        optimizer = make_optimizer(model, train, fused=True)
        loss = model(torch.randn(2, 3, 2, 2, 2)).sum()
        skip_unless_finite(optimizer, loss)
        descend(loss, model, optimizer, average=None, clip=clip_of(train))
        with pytest.raises(DataDependentOutputException):
            LateLoss(loss).read()


class Late(DistributedContext):
    """A CPU that is treated as a GPU is."""

    late = True


@pytest.mark.parametrize(
    ("heads", "changes"),
    [
        (("visual", "audio", "text"), {"backbone__name": "r2plus1d_tiny"}),
        (("audio", "text"), {"model__relation": "transformer"}),
        (("decoder",), {}),
        (("softmax",), {}),
    ],
)
def test_a_whole_step_of_training_reads_nothing_from_the_device(make_model, params, monkeypatch, heads, changes):
    """The loop's own, but for the copy of the loss: normalization by channel, all layers, loss, clipping, update."""
    monkeypatch.setattr(loop, "LateLoss", lambda loss: loss)
    monkeypatch.setattr(Factored, "forward", lambda self, x: self.padded(x))
    frames = params.frames.model_copy(update={"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4)})
    train = params.train.model_copy(update={"gradient_clip": 1.0})
    with FakeTensorMode():
        context = Late(rank=0, size=1, device=torch.device("cpu"))
        model = make_model(heads, gcn__hidden=8, **changes).train()
        learner = Learner(model=model, optimizer=make_optimizer(model, train, fused=True), average=None)
        batch = Batch(
            torch.empty(2, 4, 32, 32, 3, dtype=torch.uint8), torch.zeros(2, 7, dtype=torch.bool), torch.empty(2, 0),
            torch.arange(2),
        )  # fmt: skip
        run = Run(
            train=train, frames=frames, seed=0, loss=bce, metrics={}, context=context, workers=0, folder=Path(),
            checkpoint_minutes=60.0,
        )  # fmt: skip
        taken = loop.step(learner, Objective(model, frames, bce), batch, run)
        with pytest.raises(DataDependentOutputException):
            float(taken.loss)
        assert learner.optimizer.state


@pytest.mark.cuda
def test_on_a_gpu_nothing_waits_and_the_loss_is_the_steps_own(params):
    model = nn.Linear(3, 2).cuda()
    optimizer = make_optimizer(model, params.train, fused=True)
    torch.cuda.set_sync_debug_mode("error")
    try:
        late = []
        for factor in (1.0, 2.0):
            loss = model(torch.ones(1, 3, device="cuda")).sum() * factor
            skip_unless_finite(optimizer, loss)
            descend(loss, model, optimizer, average=None, clip=None)
            late.append((LateLoss(loss.detach()), loss.detach().clone()))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert [one.read() for one, _ in late] == [value.item() for _, value in late]
