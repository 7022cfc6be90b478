"""What of a video one training example shows: which frames, which part of them, mirrored or not.

A frame is first scaled so that its short side is s, then cut; here the same is said the other way round: which
square of the stored frame, scaled, gives the cut. So only that square is ever scaled.
"""

from typing import NamedTuple

import numpy as np

from pipeline.clips.positions import positions
from pipeline.params import Frames, Train


class View(NamedTuple):
    """One example of a video."""

    frames: list[int]
    """Frame numbers on the video's time line."""
    left: int
    top: int
    side: int
    """The square that is taken from each frame; pixels of the stored frame."""
    flip: bool


def random_view(
    random: np.random.Generator, *, length: int, width: int, height: int, frames: Frames, train: Train
) -> View:
    """A random window in time, a short side drawn from `train.jitter`, a random crop, mirrored at `train.flip`."""
    start = int(random.integers(0, max(length - frames.span, 0) + 1))
    short_side = int(random.integers(train.jitter[0], train.jitter[1] + 1))
    side = _source_side(train.crop, short_side, width, height)
    left, top = int(random.integers(0, width - side + 1)), int(random.integers(0, height - side + 1))
    return View(window(start, length, frames), left, top, side, bool(random.random() < train.flip))


def center_view(*, length: int, width: int, height: int, frames: Frames, train: Train) -> View:
    """The middle of the video in time and space, at the smallest scale of training."""
    side = _source_side(train.crop, train.jitter[0], width, height)
    start = max(length - frames.span, 0) // 2
    return View(window(start, length, frames), (width - side) // 2, (height - side) // 2, side, flip=False)


def window(start: int, length: int, frames: Frames) -> list[int]:
    """The frames of a clip that starts at `start`; a video shorter than the span stands still at its last frame."""
    return [int(frame) for frame in np.minimum(start + positions(frames), length - 1)]


def _source_side(crop: int, short_side: int, width: int, height: int) -> int:
    """The side, in a stored frame, of what would be `crop` pixels wide were the short side `short_side`."""
    return min(round(crop / short_side * min(width, height)), width, height)
