import pytest
import torch
from torch import nn

from pipeline.train.precise_bn import measure_batch_norm


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(3, 4, 1), nn.BatchNorm3d(4, momentum=0.1), nn.ReLU(), nn.BatchNorm3d(4))


@pytest.fixture
def batches():
    torch.manual_seed(1)
    return [torch.randn(5, 3, 2, 4, 4) * (1 + number) for number in range(3)]


def test_statistics_are_the_means_of_the_batches_own(model, batches, alone):
    measure_batch_norm(model, batches, alone)
    first = [model[0](batch).transpose(0, 1).flatten(1) for batch in batches]
    torch.testing.assert_close(model[1].running_mean, torch.stack([x.mean(1) for x in first]).mean(0))
    torch.testing.assert_close(model[1].running_var, torch.stack([x.var(1) for x in first]).mean(0))


def test_later_layers_see_each_batch_normalized_by_itself(model, batches, alone):
    measure_batch_norm(model, batches, alone)
    means = []
    for batch in batches:
        x = model[0](batch)
        mean, var = x.mean((0, 2, 3, 4), keepdim=True), x.var((0, 2, 3, 4), keepdim=True, unbiased=False)
        means.append(torch.relu((x - mean) / torch.sqrt(var + 1e-5)).mean((0, 2, 3, 4)))
    torch.testing.assert_close(model[3].running_mean, torch.stack(means).mean(0))


def test_earlier_statistics_do_not_matter(model, batches, alone):
    measure_batch_norm(model, batches, alone)
    once = model[1].running_mean.clone()
    model[1].running_mean.fill_(1e6)
    measure_batch_norm(model, batches, alone)
    assert torch.equal(model[1].running_mean, once)


def test_weights_modes_and_momentum_stay(model, batches, alone):
    model.eval()
    model[3].train()
    weights = [parameter.clone() for parameter in model.parameters()]
    measure_batch_norm(model, batches, alone)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), weights, strict=True))
    assert [module.training for module in model] == [False, False, False, True]
    assert (model[1].momentum, model[3].momentum) == (0.1, 0.1)
