"""Which frames of a span a clip takes (Section 4.1: 8 frames of 16)."""

import numpy as np

from pipeline.foundations.params import Frames


def positions(frames: Frames) -> np.ndarray:
    """The positions of a clip's frames within its span, `frames.count` integers from 0 that do not fall.

    `linspace` is the released code's: evenly spaced from the first frame to the last and cut to integers, so 0,
    2, 4, 6, 8, 10, 12, 15 for 8 of 16. `stride` is the plain reading: every span / count-th, so 0, 2, ..., 14.
    """
    if frames.positions == "linspace":
        return np.linspace(0, max(frames.span - 1, 0), frames.count).astype(np.int64)
    return (np.arange(frames.count) * frames.span // frames.count).astype(np.int64)


def counted_at(frames: Frames, fps: float) -> Frames:
    """What a clip is, its span counted in the frames of a video of `fps` a second.

    On the constant time line, where videos have `frames.fps`, nothing changes. A clip of 16 frames at 30 fps is one
    of 13.3 at 25: linspace takes 0, 1, 3, 5, 7, 8, 10, 12 of them, as the released code does.
    """
    return frames.model_copy(update={"fps": fps, "span": frames.span * fps / frames.fps})
