"""Temporal interlacing: hand-computed cases, gradients in float64, the published sizes."""

import pytest
import torch

from pipeline.foundations.runtime.errors import PlainError
from pipeline.model.backbones.interlace import SEGMENTS, TemporalInterlace, interlaced
from pipeline.model.backbones.resnet3d import ARCHITECTURES, ResNet3d


def line(offsets, weights=1.0):
    """Four groups of one channel, each with 1, 2, 4, 8 at four frames of one place, after moving: G x T."""
    x = torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=torch.float64).expand(1, 4, 4)[..., None, None]
    moved = interlaced(x, torch.tensor([offsets], dtype=torch.float64), torch.full((1, 4, 4), weights).double())
    return moved[0, :, :, 0, 0].tolist()


def test_whole_offsets_move_frames_and_zeros_come_in():
    assert line([0.0, 1.0, -1.0, 2.0]) == [[1, 2, 4, 8], [0, 1, 2, 4], [2, 4, 8, 0], [0, 0, 1, 2]]


def test_between_frames_it_is_linear():
    assert line([0.5, -0.5, 0.25, -1.25]) == [
        [0.5, 1.5, 3, 6],
        [1.5, 3, 6, 4],
        [0.75, 1.75, 3.5, 7],
        [2.5, 5, 6, 0],  # 3/4 of the next frame and 1/4 of that behind it
    ]


def test_beyond_the_last_frame_nothing_is_left():
    assert line([4.0, -4.0, 3.5, -3.5]) == [[0] * 4, [0] * 4, [0, 0, 0, 0.5], [4, 0, 0, 0]]


def test_weights_scale_the_frames_that_come_out():
    x = torch.ones(1, 4, 3, 1, 1)
    weights = torch.arange(12.0).reshape(1, 4, 3)
    assert interlaced(x, torch.zeros(1, 4), weights)[0, :, :, 0, 0].tolist() == weights[0].tolist()


def test_gradients_by_frames_offsets_and_weights():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 5, 2, 3, dtype=torch.float64, requires_grad=True)
    offsets = (torch.rand(2, 4, dtype=torch.float64) * 3 - 1.5).requires_grad_()  # between whole numbers
    weights = torch.rand(2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(interlaced, (x, offsets, weights))


def test_at_a_whole_offset_the_gradient_is_that_to_the_later_frame():
    """As in the published sampler, whose weights of two neighbours are 1 - f and f with f = 0."""
    x = torch.tensor([1.0, 3.0, 7.0]).reshape(1, 1, 3, 1, 1).expand(1, 4, 3, 1, 1)
    offsets = torch.zeros(1, 4, requires_grad=True)
    interlaced(x, offsets, torch.ones(1, 4, 3)).sum().backward()
    assert offsets.grad.tolist() == [[-7.0] * 4]  # (0 - 1) + (1 - 3) + (3 - 7)


def test_a_module_moves_a_quarter_and_leaves_the_rest():
    torch.manual_seed(0)
    module = TemporalInterlace(16).eval()
    x = torch.randn(2, 16, SEGMENTS, 3, 3)
    moved = module(x)
    assert torch.equal(moved[:, 4:], x[:, 4:])
    assert not torch.allclose(moved[:, :4], x[:, :4])
    pooled = x[:, :4].mean((3, 4))
    offsets = module.offsets(pooled)
    assert torch.equal(offsets[:, :2], -offsets[:, 2:])
    assert (offsets.abs() < 2).all()


def test_before_training_groups_move_by_half_a_frame_and_weigh_1():
    module = TemporalInterlace(16)
    torch.nn.init.zeros_(module.offset_fc2.weight)
    torch.nn.init.zeros_(module.weight_conv.weight)
    pooled = torch.randn(3, 4, SEGMENTS)
    torch.testing.assert_close(module.offsets(pooled)[:, 0], torch.full((3,), 0.5), atol=1e-3, rtol=0)
    assert (module.weights(pooled) == 1).all()


def test_other_numbers_of_frames_are_told():
    with pytest.raises(PlainError, match=r"frames\.count is 4, but tin_r50 takes 8: set frames.count to that"):
        TemporalInterlace(16)(torch.zeros(1, 16, 4, 2, 2))


def test_it_adds_31_008_parameters_to_resnet_50s():
    with torch.device("meta"):
        network = ResNet3d(ARCHITECTURES["tin_r50"])
    added = [module for module in network.modules() if isinstance(module, TemporalInterlace)]
    assert len(added) == 16
    extra = sum(parameter.numel() for module in added for parameter in module.parameters())
    assert extra == 31_008
    assert sum(parameter.numel() for parameter in network.parameters()) - extra == 23_508_032
    assert network(torch.empty(2, 3, 8, 224, 224, device="meta")).shape == (2, 2048, 8, 7, 7)
