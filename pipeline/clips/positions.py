"""Which frames of a span a clip takes (Section 4.1: 8 frames of 16)."""

import numpy as np

from pipeline.params import Frames


def positions(frames: Frames) -> np.ndarray:
    """The positions of a clip's frames within its span, `frames.count` rising integers from 0.

    `linspace` is the released code's: evenly spaced from the first frame to the last and cut to integers, so 0,
    2, 4, 6, 8, 10, 12, 15 for 8 of 16. `stride` is the plain reading: every span / count-th, so 0, 2, ..., 14.
    """
    if frames.positions == "linspace":
        return np.linspace(0, frames.span - 1, frames.count).astype(np.int64)
    return np.arange(frames.count) * frames.span // frames.count
