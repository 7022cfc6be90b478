"""Middle channels by eights: the same network, its own gradients, its published weights."""

import copy

import pytest
import torch

from pipeline.model.backbones.factored import ALIGNMENT, Factored
from pipeline.model.backbones.resnet3d import ARCHITECTURES, ResNet3d

PLAIN = Factored.forward


def aligned(self, x):
    """As on a GPU."""
    return self.padded(x) if self.missing else PLAIN(self, x)


@pytest.fixture
def network():
    """float64, so that only another order of additions tells the two ways apart; channels innermost, as in training."""
    torch.manual_seed(0)
    return ResNet3d(ARCHITECTURES["r2plus1d_tiny"]).double().to(memory_format=torch.channels_last_3d)


def test_the_published_middle_widths_are_filled_up_to_eights():
    with torch.device("meta"):
        middles = {
            module for module in ResNet3d(ARCHITECTURES["r2plus1d_34"]).modules() if isinstance(module, Factored)
        }
    widths = {module.spatial.out_channels: module.spatial.out_channels + module.missing for module in middles}
    assert {middle: filled for middle, filled in widths.items() if filled > middle} == {
        45: 48, 230: 232, 460: 464, 921: 928
    }  # fmt: skip
    assert all(filled % ALIGNMENT == 0 for filled in widths.values())


@pytest.mark.parametrize("training", [True, False])
def test_outputs_gradients_and_statistics_are_the_same(network, monkeypatch, training):
    other = copy.deepcopy(network)
    clips = torch.randn(3, 3, 8, 24, 24).double().to(memory_format=torch.channels_last_3d)
    found = network.train(training)(clips)
    found.square().sum().backward()
    monkeypatch.setattr(Factored, "forward", aligned)
    made = other.train(training)(clips)
    made.square().sum().backward()
    torch.testing.assert_close(made, found, rtol=1e-9, atol=1e-9)
    for (name, weight), same in zip(network.named_parameters(), other.parameters(), strict=True):
        scale = weight.grad.abs().max().item()
        torch.testing.assert_close(same.grad, weight.grad, rtol=1e-9, atol=1e-9 * scale, msg=name)
    for (name, value), same in zip(network.state_dict().items(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(same, value, rtol=1e-9, atol=1e-12, msg=name)


def test_what_a_gpu_multiplies_is_filled_up_and_channels_stay_innermost(network, monkeypatch):
    shapes = []
    conv3d = torch.nn.functional.conv3d

    def watched(x, weight, *rest):
        shapes.append((tuple(weight.shape[:2]), weight.is_contiguous(memory_format=torch.channels_last_3d)))
        return conv3d(x, weight, *rest)

    monkeypatch.setattr(torch.nn.functional, "conv3d", watched)
    factored = network.layer2[0].body.conv1
    assert factored.spatial.weight.shape[:2] == (57, 16)
    factored.padded(torch.randn(1, 16, 2, 4, 4).double())
    assert shapes == [((64, 16), True), ((32, 64), True)]


def test_bytes_on_a_cpu_are_those_of_the_plain_layers(network):
    """The module adds nothing there."""
    factored, x = network.stem.conv, torch.randn(1, 3, 2, 8, 8).double()
    expected = factored.temporal(torch.relu(factored.norm(factored.spatial(x))))
    assert torch.equal(factored(x), expected)


@pytest.mark.cuda
def test_on_a_gpu_the_network_is_the_cpus(network):
    """In float64, so that rounding hides nothing."""
    clips = torch.randn(3, 3, 8, 24, 24).double()
    expected = network(clips)
    other = copy.deepcopy(network).cuda()
    torch.testing.assert_close(other(clips.cuda()).cpu(), expected, rtol=1e-6, atol=1e-6)
