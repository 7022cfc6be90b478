"""Floating-point operations of a backbone, counted by PyTorch from shapes alone."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline.model.backbones import BACKBONES


def flops_of(backbone: str, frames: int, size: int) -> float:
    """Of one clip's way forward; the heads add a thousandth, and the way back takes twice as many.

    Args:
        backbone: its name.
        frames: of a clip.
        size: its height and width.
    """
    with torch.device("meta"):
        network, clip = BACKBONES[backbone]().eval(), torch.empty(1, 3, frames, size, size)
    with FlopCounterMode(display=False) as counter:
        network(clip)
    return float(counter.get_total_flops())
