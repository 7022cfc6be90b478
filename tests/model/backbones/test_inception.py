"""I3D on Inception v1: DeepMind's layout, padding as TensorFlow does it, and where a cell looks."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pipeline.model.backbones import BatchNorm
from pipeline.model.backbones.inception import InceptionI3d
from pipeline.model.backbones.same import Padding, SameConv3d, SameMaxPool3d, same_padding
from tests.extras import needs


def on_meta() -> InceptionI3d:
    with torch.device("meta"):
        return InceptionI3d()


def test_parameters_are_the_published_12_7_million():
    trained = sum(parameter.numel() for parameter in on_meta().parameters() if parameter.requires_grad)
    assert trained == 12_279_984
    assert trained + 1024 * 400 + 400 == 12_689_984  # with the classifier of Kinetics-400


def test_feature_maps_have_the_published_sizes():
    network = on_meta()
    sizes = {}
    for name in ("layer1", "layer2", "layer3", "layer4"):
        getattr(network, name).register_forward_hook(
            lambda _, __, output, name=name: sizes.update({name: tuple(output.shape[1:])})
        )
    network(torch.empty(2, 3, 64, 224, 224, device="meta"))
    assert sizes == {
        "layer1": (192, 32, 56, 56),
        "layer2": (480, 32, 28, 28),
        "layer3": (832, 16, 14, 14),
        "layer4": (1024, 8, 7, 7),
    }
    assert network.features == 1024


def test_batch_norm_shifts_and_does_not_scale():
    network = on_meta()
    assert network.batch_norm == BatchNorm(eps=1e-3, momentum=1e-3)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm3d)]
    assert len(norms) == 57
    assert {(norm.weight.requires_grad, norm.bias.requires_grad) for norm in norms} == {(False, True)}


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [
        (224, 7, 2, (2, 3)), (225, 7, 2, (3, 3)),
        (112, 3, 2, (0, 1)), (113, 3, 2, (1, 1)),
        (14, 2, 2, (0, 0)), (15, 2, 2, (0, 1)),
        (14, 3, 1, (1, 1)), (5, 1, 2, (0, 0)),
    ],
)  # fmt: skip
def test_padding_by_hand(size, kernel, stride, padding):
    assert same_padding(size, kernel, stride) == Padding(*padding)


@pytest.mark.parametrize("value", [-5.0, 3.0])
def test_padding_is_never_the_largest_nor_of_weight(value):
    x = torch.full((1, 1, 4, 4, 4), value)
    assert (SameMaxPool3d((3, 3, 3), (2, 2, 2))(x) == value).all()
    conv = SameConv3d(1, 1, (3, 3, 3), (2, 2, 2))
    nn.init.ones_(conv.weight)
    assert conv(x).flatten()[[0, -1]].tolist() == [27 * value, 8 * value]  # nothing before, one behind


@needs("hub")
@pytest.mark.parametrize("shape", [(4, 10, 12), (5, 9, 13)])
@pytest.mark.parametrize(("kernel", "stride"), [((7, 7, 7), (2, 2, 2)), ((1, 3, 3), (1, 2, 2)), ((3, 3, 3), (1, 1, 1)),
                                                ((2, 2, 2), (2, 2, 2))])  # fmt: skip
def test_they_are_tensorflows(shape, kernel, stride):
    import tensorflow as tf

    x = torch.randn(2, 3, *shape)
    conv = SameConv3d(3, 4, kernel, stride)
    theirs = np.transpose(x.numpy(), (0, 2, 3, 4, 1))
    weights = conv.weight.detach().permute(2, 3, 4, 1, 0).numpy()
    convolved = tf.nn.conv3d(theirs, weights, (1, *stride, 1), "SAME").numpy()
    np.testing.assert_allclose(conv(x).detach().permute(0, 2, 3, 4, 1).numpy(), convolved, atol=1e-4)  # another order
    pooled = tf.nn.max_pool3d(theirs, kernel, stride, "SAME").numpy()
    np.testing.assert_array_equal(SameMaxPool3d(kernel, stride)(x).permute(0, 2, 3, 4, 1).numpy(), pooled)


@pytest.mark.parametrize("width", [1024, 1023, 1010])
@pytest.mark.parametrize(("layer", "stride"), [("layer1", 4), ("layer2", 8), ("layer3", 16), ("layer4", 32)])
def test_a_cell_is_the_middle_of_what_the_network_sees(layer, stride, width, monkeypatch):
    """The pixels that a cell depends on reach as far to its left as to its right; a mean instead of the largest lets
    all of a window count.
    """
    network = InceptionI3d().eval()

    def mean(self, x):
        padding = [same_padding(*axis) for axis in zip(x.shape[2:], self.kernel_size, self.stride, strict=True)]
        return F.avg_pool3d(
            F.pad(x, [end for axis in reversed(padding) for end in axis]), self.kernel_size, self.stride
        )

    monkeypatch.setattr(SameMaxPool3d, "forward", mean)
    x = torch.rand(1, 3, 2, 8, width, requires_grad=True)
    held = x
    for name in ("layer1", "layer2", "layer3", "layer4"):
        held = getattr(network, name)(held)
        if name == layer:
            break
    cell = held.shape[-1] // 2
    (gradient,) = torch.autograd.grad(held[..., cell].sum(), x)
    seen = torch.nonzero(gradient.abs().sum((0, 1, 2, 3))).flatten()
    first = network.first_centres(layer, x.shape[2:])[2]
    assert (seen.min() + seen.max()) / 2 == first + cell * stride
    assert 0 < seen.min() < seen.max() < width - 1


def test_another_backbones_cells_stand_on_multiples_of_the_stride():
    from pipeline.model.backbones import BACKBONES

    assert BACKBONES["r3d_tiny"]().first_centres("layer3", (8, 56, 56)) == (0.0, 0.0, 0.0)
