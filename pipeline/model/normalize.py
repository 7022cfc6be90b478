"""Normalize decoded frames to a model's input."""

import torch
from torch import Tensor

from pipeline.foundations.params import Frames


def as_clips(pictures_BTYXC: Tensor, frames: Frames) -> Tensor:
    """Pictures, uint8 B x T x Y x X x 3, as a model takes clips: float, normalized, B x 3 x T x Y x X.

    The channels stay innermost in memory, which is `torch.channels_last_3d`.
    """
    clips_BCTYX = pictures_BTYXC.permute(0, 4, 1, 2, 3).float()
    return (clips_BCTYX / 255.0 - _channels(frames.mean, clips_BCTYX)) / _channels(frames.std, clips_BCTYX)


def _channels(value: float | tuple[float, float, float], like_BCTYX: Tensor) -> float | Tensor:
    """One number for all channels as it is; one for each along their axis, made on the device: a copy would wait."""
    if isinstance(value, float):
        return value
    return torch.stack([like_BCTYX.new_full((1, 1, 1), each) for each in value])
