"""A step that is only asked for: the check of its loss on the device, and the loss that is read late."""

import copy

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from pipeline.train.optimizer import make_optimizer
from pipeline.train.step import LateLoss, clip_of, descend, skip_unless_finite


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
