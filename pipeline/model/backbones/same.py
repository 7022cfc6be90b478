"""Convolution and pooling padded as TensorFlow does it (`SAME`): as much as the size asks, the odd cell at the end.

Along an axis of n cells with kernel k and stride s, ceil(n / s) cells come out, and max((ceil(n / s) - 1) s + k - n, 0)
cells of padding go in, half of them before, rounded down. With stride 2 that depends on n: 224 pixels under 7 x 7 get
2 before and 3 behind, where PyTorch's padding is 3 and 3.
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

Triple = tuple[int, int, int]
"""Time, height, width."""


class Padding(NamedTuple):
    """Cells that are added along one axis."""

    before: int
    behind: int


def same_padding(size: int, kernel: int, stride: int) -> Padding:
    """TensorFlow's `SAME` for one axis."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return Padding(total // 2, total - total // 2)


class SameConv3d(nn.Conv3d):
    """A convolution without bias, padded with zeros."""

    def __init__(self, inputs: int, outputs: int, kernel: Triple, stride: Triple = (1, 1, 1)) -> None:
        super().__init__(inputs, outputs, kernel, stride, bias=False)

    def forward(self, x_BCTYX: Tensor) -> Tensor:
        """B x outputs x ceil(T / stride) x ceil(Y / stride) x ceil(X / stride)."""
        return super().forward(_padded(x_BCTYX, self.kernel_size, self.stride, value=0.0))


class SameMaxPool3d(nn.Module):
    """The largest of each window; padding never is."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel_size = kernel
        self.stride = stride

    def forward(self, x_BCTYX: Tensor) -> Tensor:
        """B x C x ceil(T / stride) x ceil(Y / stride) x ceil(X / stride)."""
        padded = _padded(x_BCTYX, self.kernel_size, self.stride, value=float("-inf"))
        return F.max_pool3d(padded, self.kernel_size, self.stride)


def _padded(x_BCTYX: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], *, value: float) -> Tensor:
    T, Y, X = (same_padding(*axis) for axis in zip(x_BCTYX.shape[2:], kernel, stride, strict=True))
    padding = (*X, *Y, *T)  # torch begins at the last axis
    return F.pad(x_BCTYX, padding, value=value) if any(padding) else x_BCTYX
