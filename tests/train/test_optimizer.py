import pytest
import torch
from torch import nn

from pipeline.train.optimizer import batch_norms, make_optimizer, set_rate


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(2, 3, 1), nn.BatchNorm3d(3), nn.Flatten(), nn.Linear(3, 2), nn.LayerNorm(2))


def test_everything_decays_but_batch_norm(model, params):
    """With gradients of zero, one step is w - rate * decay * w."""
    train = params.train.model_copy(update={"learning_rate": 0.5, "weight_decay": 0.1})
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    make_optimizer(model, train.model_copy(update={"nesterov": False, "momentum": 0.0})).step()
    for name, parameter in model.named_parameters():
        shrunk = 1.0 if name.startswith("1.") else 1 - 0.5 * 0.1
        torch.testing.assert_close(parameter.detach(), shrunk * before[name])


def test_two_steps_are_nesterovs(model, params):
    train = params.train.model_copy(
        update={"learning_rate": 0.5, "weight_decay": 0.0, "momentum": 0.9, "nesterov": True}
    )
    optimizer = make_optimizer(model, train)
    start = model[3].bias.detach().clone()
    for gradient, rate in ((1.0, 0.5), (2.0, 0.1)):
        set_rate(optimizer, rate)
        model[3].bias.grad = torch.full_like(model[3].bias, gradient)
        optimizer.step()
    # momentum 1, then 0.9 + 2; each step goes along gradient + 0.9 momentum
    expected = start - 0.5 * (1 + 0.9 * 1) - 0.1 * (2 + 0.9 * 2.9)
    torch.testing.assert_close(model[3].bias.detach(), expected)


class Headed(nn.Module):
    """A backbone with batch norm, and a head."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv3d(2, 3, 1), nn.BatchNorm3d(3))
        self.head, self.sound = nn.Linear(3, 2), nn.Linear(4, 2, bias=False)


def test_the_head_has_a_rate_and_a_decay_of_its_own(params):
    """With gradients of zero, one step is w - rate * factor * decay * w."""
    plain = {"learning_rate": 0.5, "weight_decay": 0.1, "nesterov": False, "momentum": 0.0}
    model = Headed()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    train = params.train.model_copy(update=plain | {"head_rate": 3.0, "head_weight_decay": 0.02})
    make_optimizer(model, train).step()
    shrunk = {"backbone.0": 1 - 0.5 * 0.1, "backbone.1": 1.0, "head": 1 - 1.5 * 0.02, "sound": 1 - 1.5 * 0.02}
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), shrunk[name.rpartition(".")[0]] * before[name])


def test_without_a_decay_of_its_own_the_head_has_the_models(params):
    groups = make_optimizer(Headed(), params.train.model_copy(update={"head_rate": 10.0})).param_groups
    assert [(group["factor"], group["weight_decay"]) for group in groups] == [(1.0, 1e-4), (1.0, 0.0), (10.0, 1e-4)]


def test_frozen_parameters_are_not_touched(model, params):
    model[0].requires_grad_(False)
    groups = make_optimizer(model, params.train).param_groups
    assert not {id(p) for p in model[0].parameters()} & {id(p) for group in groups for p in group["params"]}


def test_a_model_without_batch_norm_has_one_group(params):
    assert len(make_optimizer(nn.Linear(2, 2), params.train).param_groups) == 1


def test_batch_norms_are_found_wherever_they_are(model):
    assert batch_norms(nn.ModuleList([model, nn.BatchNorm1d(4)]))[0] is model[1]
    assert len(batch_norms(nn.ModuleList([model, nn.BatchNorm1d(4)]))) == 2
