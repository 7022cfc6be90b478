"""A (2+1)D convolution: in space to some middle channels, batch norm, ReLU, then in time (Tran et al. 2018).

Caffe2's rule gives middle widths of 45, 230, 460 and 921, but tensor cores take channels by eights. On a GPU the middle
is therefore computed with zeros up to the next multiple of 8. A channel of zeros stays zero through batch norm and
ReLU, adds nothing to the convolution in time and gets no gradient; weights and checkpoints keep the published widths.
"""

from collections import OrderedDict
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

Triple = tuple[int, int, int]
"""Time, height, width."""
ALIGNMENT = 8
"""Channels that tensor cores take together, of 16 bits each."""


class Factored(nn.Sequential):
    """`side` x `side` in space to `middle` channels, then 3 frames in time; shapes as nn.Conv3d's."""

    def __init__(self, inputs: int, outputs: int, middle: int, *, side: int, stride: Triple) -> None:
        around = (0, side // 2, side // 2)
        spatial = nn.Conv3d(inputs, middle, (1, side, side), (1, *stride[1:]), around, bias=False)
        temporal = nn.Conv3d(middle, outputs, (3, 1, 1), (stride[0], 1, 1), (1, 0, 0), bias=False)
        parts = OrderedDict(spatial=spatial, norm=nn.BatchNorm3d(middle), relu=nn.ReLU(inplace=True), temporal=temporal)
        super().__init__(parts)
        self.missing = -middle % ALIGNMENT
        """Channels up to the next multiple of `ALIGNMENT`."""

    def forward(self, x: Tensor) -> Tensor:
        """B x outputs x T' x Y' x X'."""
        if self.missing and x.is_cuda:
            return self.padded(x)
        made: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return made

    def padded(self, x: Tensor) -> Tensor:
        """The same, with zeros in the middle's channels up to the next multiple of 8."""
        spatial, temporal = cast(nn.Conv3d, self.spatial), cast(nn.Conv3d, self.temporal)
        weight = _with_zeros(spatial.weight, 0, self.missing)
        x = F.conv3d(x, weight, None, spatial.stride, spatial.padding)  # type: ignore[arg-type]
        x = F.relu(_padded_norm(cast(_BatchNorm, self.norm), x, self.missing), inplace=True)
        weight = _with_zeros(temporal.weight, 1, self.missing)
        return F.conv3d(x, weight, None, temporal.stride, temporal.padding)  # type: ignore[arg-type]


def _padded_norm(norm: _BatchNorm, x: Tensor, missing: int) -> Tensor:
    """A batch norm, synchronized or not, of some channels that it has and `missing` ones of zeros; updates its own."""
    own = {name: value for name, value in (*norm.named_parameters(), *norm.named_buffers()) if value.ndim}
    padded = {name: _with_zeros(value, 0, missing) for name, value in own.items()}
    made: Tensor = functional_call(norm, padded, (x,))
    if norm.training:
        with torch.no_grad():
            for name, buffer in norm.named_buffers():
                if name in padded:
                    buffer.copy_(padded[name][: len(buffer)])
    return made


def _with_zeros(tensor: Tensor, axis: int, count: int) -> Tensor:
    """A tensor with `count` zeros behind it along an axis."""
    return F.pad(tensor, (*(0, 0) * (tensor.ndim - 1 - axis), 0, count))
