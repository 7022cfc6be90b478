"""From a feature map to one feature vector, without the pooling kernels that CUDA cannot run deterministically."""

from typing import Literal

import torch
from torch import Tensor, nn

RELEASED_WINDOW = 7  # released code: the last feature map's side in training, 112 / 16


class Pooling(nn.Module):
    """The mean of a feature map over time and space.

    `global`: every place weighs the same. `released`: a 7 x 7 window, all of time deep, slides over the map and
    its means are averaged, so that at test resolution (8 x 8) the centre weighs most. Where the map is 7 x 7 or
    smaller, the two are the same. Sliding is written as a product with a banded matrix, since AvgPool3d's backward
    pass has no deterministic form on CUDA.

    Shape suffixes: B batch, C features, T x Y x X feature map, L window positions.
    """

    def __init__(self, kind: Literal["global", "released"]) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, map_BCTYX: Tensor) -> Tensor:
        """Features, B x C."""
        return self.positions(map_BCTYX).mean(1)

    def positions(self, map_BCTYX: Tensor) -> Tensor:
        """The mean of each window, B x L x C; L is 1 for `global`."""
        if self.kind == "global":
            return map_BCTYX.mean((2, 3, 4))[:, None]
        plane_BCYX = map_BCTYX.mean(2)
        rows, columns = (_windows(size, plane_BCYX) for size in plane_BCYX.shape[2:])
        return (rows @ plane_BCYX @ columns.T).flatten(2).transpose(1, 2)


def _windows(size: int, like: Tensor) -> Tensor:
    """A matrix whose rows average RELEASED_WINDOW neighbours out of `size`, one row a position."""
    width = min(size, RELEASED_WINDOW)
    band = torch.ones(size - width + 1, size, dtype=like.dtype, device=like.device)
    return band.triu().tril(width - 1) / width
