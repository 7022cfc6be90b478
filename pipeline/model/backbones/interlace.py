"""Temporal interlacing (Shao et al. 2020, TIN): groups of channels look some frames ahead or back, by learnt offsets.

The first channels of a block's input, a quarter of them, are cut into four groups. Two offsets of a video, (o_0, o_1),
and their negatives move the groups along time; frames from outside are zeros. A weight of each frame scales them.

Shape suffixes: B batch, C channels, K moved channels, G = 4 groups, T frames, Y x X places.
"""

import torch
from torch import Tensor, nn

from pipeline.foundations.runtime.errors import PlainError

SEGMENTS = 8
"""T; the offsets come from a layer of this width."""
PART = 4
"""One channel in four is moved (`shift_div`)."""
OFFSETS = 2
FIRST_OFFSET = 0.5108  # of the last bias: 4 (sigmoid(0.5108) - 0.5) is half a frame
RANGE = 4.0


class TemporalInterlace(nn.Module):
    """What stands before the first convolution of a block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.moved = channels // PART
        self.offset_conv = nn.Conv1d(self.moved, 1, 3, padding=1)
        self.offset_fc1 = nn.Linear(SEGMENTS, SEGMENTS)
        self.offset_fc2 = nn.Linear(SEGMENTS, OFFSETS)
        self.weight_conv = nn.Conv1d(self.moved, OFFSETS, 3, padding=1)
        nn.init.constant_(self.offset_fc2.bias, FIRST_OFFSET)
        if self.weight_conv.bias is not None:
            nn.init.zeros_(self.weight_conv.bias)

    def forward(self, x_BCTYX: Tensor) -> Tensor:
        """The same shape, its first channels moved in time."""
        frames = x_BCTYX.shape[2]
        if frames != SEGMENTS:
            raise PlainError(f"frames.count is {frames}, but tin_r50 takes {SEGMENTS}: set frames.count to that")
        x_BKTYX, rest = x_BCTYX[:, : self.moved], x_BCTYX[:, self.moved :]
        pooled_BKT = x_BKTYX.mean((3, 4))
        moved = interlaced(x_BKTYX, self.offsets(pooled_BKT), self.weights(pooled_BKT))
        return torch.cat([moved, rest], dim=1)

    def offsets(self, pooled_BKT: Tensor) -> Tensor:
        """The offset of each group in frames, B x G, between -2 and 2."""
        hidden_BT = self.offset_fc1(self.offset_conv(pooled_BKT)[:, 0]).relu()
        found_BO = RANGE * (self.offset_fc2(hidden_BT).sigmoid() - 0.5)
        return torch.cat([found_BO, -found_BO], dim=1)

    def weights(self, pooled_BKT: Tensor) -> Tensor:
        """The weight of each group's frames, B x G x T, between 0 and 2."""
        found_BOT = 2 * self.weight_conv(pooled_BKT).sigmoid()
        return torch.cat([found_BOT, found_BOT], dim=1)


def interlaced(x_BKTYX: Tensor, offsets_BG: Tensor, weights_BGT: Tensor) -> Tensor:
    """Each group of channels moved later by its offset, linear between frames, zeros from outside; then weighted.

    Frame t of a group is (1 - f) x[t - n] + f x[t - n - 1], n + f being its offset and n a whole number. The gradient
    by an offset is that of f.
    """
    B, _, T, Y, X = x_BKTYX.shape
    whole_BG = offsets_BG.detach().floor()
    part_BG = (offsets_BG - whole_BG)[..., None, None]
    times_T = torch.arange(T, device=x_BKTYX.device)
    back_BGTT = times_T[:, None] - times_T - whole_BG[..., None, None].long()  # frame t less frame s less n
    move_BGTT = (1 - part_BG) * (back_BGTT == 0) + part_BG * (back_BGTT == 1)
    move_BGTT = (move_BGTT * weights_BGT[..., None]).to(x_BKTYX.dtype)
    groups = x_BKTYX.reshape(B, offsets_BG.shape[1], -1, T, Y * X)
    return torch.einsum("bgts,bgksp->bgktp", move_BGTT, groups).reshape(x_BKTYX.shape)
