"""Views of a video for training and validation: which frames, at what scale, which crop, mirrored or not."""

from collections.abc import Callable
from math import ceil
from typing import NamedTuple

import numpy as np

from pipeline.foundations.media.scaling import scaled_size
from pipeline.foundations.params import Frames, Scaling, Train
from pipeline.foundations.tables.seeds import generator
from pipeline.model.positions import counted_at, positions, segment_views, segments


class Size(NamedTuple):
    """Of a stored video."""

    length: int
    """Frames."""
    width: int
    height: int
    """Pixels."""
    fps: float
    """Frames a second."""


class View(NamedTuple):
    """One example of a video."""

    frames: list[int]
    """Frame numbers."""
    height: int
    width: int
    """What each frame is scaled to; pixels."""
    scaling: Scaling
    top: int
    left: int
    """Of the crop, in the scaled frame."""
    flip: bool


Choose = Callable[[Size, str, int], View]
"""Which view of a video of this size and this id is seen in this epoch."""


def random_view(
    size: Size, video_id: str, epoch: int, *, seed: int, purpose: str, frames: Frames, train: Train
) -> View:
    """A random window in time, a short side drawn from `train.jitter`, a random crop, mirrored at `train.flip`.

    The choice is named by the seed, the purpose, the epoch and the video: no other draw has a part in it. Where
    `train.augmentation` is `released`, the start is a real number rounded up, so never 0; the short side one rounded,
    so that the ends are half as likely; and the last place of a crop is never drawn.
    """
    random = generator(seed, purpose, epoch, video_id)
    released = train.augmentation == "released"
    shown = _drawn_frames(size, frames, random, released=released)
    if released:
        short_side = round(random.uniform(*train.jitter))
    else:
        short_side = int(random.integers(train.jitter[0], train.jitter[1] + 1))
    height, width = scaled_size(size.height, size.width, short_side, frames.scaling)
    top, left = (int(random.integers(0, max(side - train.crop + (not released), 1))) for side in (height, width))
    flip = bool(random.random() < train.flip)
    return View(shown, height, width, frames.scaling, top, left, flip)


def _drawn_frames(size: Size, frames: Frames, random: np.random.Generator, *, released: bool) -> list[int]:
    """The frames of a random window; or, where `frames.positions` is `segments`, a random one of each segment."""
    if frames.positions == "segments":
        return [int(frame) for frame in segments(size.length, frames.count, random.random(frames.count))]
    counted = counted_at(frames, size.fps)
    spare = max(size.length - counted.span, 0)
    start = ceil(random.uniform(0, spare)) if released else int(random.integers(0, int(spare) + 1))
    return window(start, size.length, counted)


def center_view(size: Size, video_id: str, epoch: int, *, frames: Frames, train: Train) -> View:
    """The middle of the video in time and space, at the smallest scale of training, always."""
    height, width = scaled_size(size.height, size.width, train.jitter[0], frames.scaling)
    top, left = (height - train.crop) // 2, (width - train.crop) // 2
    return View(_middle_frames(size, frames), height, width, frames.scaling, top, left, flip=False)


def _middle_frames(size: Size, frames: Frames) -> list[int]:
    """The frames of the window in the middle, or those in the middle of each segment."""
    if frames.positions == "segments":
        return [int(frame) for frame in segment_views(size.length, frames.count, 1)[0]]
    counted = counted_at(frames, size.fps)
    return window(int(max(size.length - counted.span, 0)) // 2, size.length, counted)


def window(start: int, length: int, frames: Frames) -> list[int]:
    """The frames of a clip that starts at `start`; a video shorter than the span stands still at its last frame."""
    return [int(frame) for frame in np.minimum(start + positions(frames), length - 1)]
