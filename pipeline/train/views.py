"""What of a video one training example shows: which frames, which part of them, mirrored or not.

A frame is first scaled so that its short side is s, then cut; here the same is said the other way round: which
square of the stored frame, scaled, gives the cut. So only that square is ever scaled.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.clips.positions import positions
from pipeline.params import Frames, Train
from pipeline.seeds import generator


class Size(NamedTuple):
    """Of a stored video."""

    length: int
    """Frames."""
    width: int
    height: int
    """Pixels."""


class View(NamedTuple):
    """One example of a video."""

    frames: list[int]
    """Frame numbers on the video's time line."""
    left: int
    top: int
    side: int
    """The square that is taken from each frame; pixels of the stored frame."""
    flip: bool


Choose = Callable[[Size, str, int], View]
"""Which view of a video of this size and this id is seen in this epoch."""


def random_view(
    size: Size, video_id: str, epoch: int, *, seed: int, purpose: str, frames: Frames, train: Train
) -> View:
    """A random window in time, a short side drawn from `train.jitter`, a random crop, mirrored at `train.flip`.

    The choice is named by the seed, the purpose, the epoch and the video: no other draw has a part in it.
    """
    random = generator(seed, purpose, epoch, video_id)
    start = int(random.integers(0, max(size.length - frames.span, 0) + 1))
    short_side = int(random.integers(train.jitter[0], train.jitter[1] + 1))
    side = _source_side(size, train.crop, short_side)
    left = int(random.integers(0, size.width - side + 1))
    top = int(random.integers(0, size.height - side + 1))
    return View(window(start, size.length, frames), left, top, side, bool(random.random() < train.flip))


def center_view(size: Size, video_id: str, epoch: int, *, frames: Frames, train: Train) -> View:
    """The middle of the video in time and space, at the smallest scale of training, always."""
    side = _source_side(size, train.crop, train.jitter[0])
    start = max(size.length - frames.span, 0) // 2
    left, top = (size.width - side) // 2, (size.height - side) // 2
    return View(window(start, size.length, frames), left, top, side, flip=False)


def window(start: int, length: int, frames: Frames) -> list[int]:
    """The frames of a clip that starts at `start`; a video shorter than the span stands still at its last frame."""
    return [int(frame) for frame in np.minimum(start + positions(frames), length - 1)]


def _source_side(size: Size, crop: int, short_side: int) -> int:
    """The side, in a stored frame, of what would be `crop` pixels wide were the short side `short_side`."""
    return min(round(crop / short_side * min(size.width, size.height)), size.width, size.height)
