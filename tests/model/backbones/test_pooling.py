import pytest
import torch
from torch.nn import functional as F

from pipeline.model.backbones.pooling import Pooling


@pytest.mark.parametrize("shape", [(1, 7, 7), (1, 8, 8), (2, 8, 10), (4, 7, 9), (3, 12, 8)])
def test_released_is_the_average_pool_of_the_released_code(shape):
    """AvgPool3d, as deep as the map, 7 x 7, stride 1; then the mean over what is left."""
    x = torch.randn(2, 5, *shape, dtype=torch.float64)
    slid = F.avg_pool3d(x, (shape[0], 7, 7), stride=1)
    torch.testing.assert_close(Pooling("released").positions(x), slid.flatten(2).transpose(1, 2))
    torch.testing.assert_close(Pooling("released")(x), slid.mean((2, 3, 4)))


def test_released_weighs_the_centre_most():
    """At 8 x 8 four windows cover the inner 6 x 6, two an edge, one a corner."""
    x = torch.zeros(3, 1, 1, 8, 8, dtype=torch.float64)
    x[0, ..., 3, 3] = x[1, ..., 0, 3] = x[2, ..., 0, 0] = 4 * 49
    torch.testing.assert_close(Pooling("released")(x).squeeze(), torch.tensor([4.0, 2.0, 1.0]).double())


def test_global_is_the_mean():
    x = torch.randn(2, 5, 2, 8, 9)
    torch.testing.assert_close(Pooling("global")(x), x.mean((2, 3, 4)))
    assert Pooling("global").positions(x).shape == (2, 1, 5)


@pytest.mark.parametrize("side", [1, 4, 7])
def test_up_to_seven_they_are_the_same(side):
    x = torch.randn(2, 5, 2, side, side)
    torch.testing.assert_close(Pooling("released")(x), Pooling("global")(x))
    assert Pooling("released").positions(x).shape == (2, 1, 5)
