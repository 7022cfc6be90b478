"""Multi-view testing: T temporal x S spatial views of a video, and one score an action from all of them.

A view is a clip of the video, cut as in training but at fixed places. Shapes: L frames of a video, V views,
F frames of a clip, N actions.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.foundations.media.frames import Chosen, read_chosen
from pipeline.foundations.params import Evaluate, Frames, Media
from pipeline.model.positions import counted_at, positions, segment_views


def temporal_views(length: int, frames: Frames, count: int) -> np.ndarray:
    """Which frames of a video of `length` each of `count` temporal views shows (count x F).

    View i starts delta * i / count into the video, delta being the frames that a clip leaves over; a start between
    two frames is the later one. The released decoder keeps the frame that passes a view's end, so a view has all
    its frames wherever it starts. A video shorter than the span stands still at its last frame. `frames.span` is
    counted in the video's own frames (`pipeline.model.positions.counted_at`), and need not be whole. A view of
    segments shows a frame of each, the same way into all of them.
    """
    if frames.positions == "segments":
        return segment_views(length, frames.count, count)
    starts = max(length - frames.span, 0) * np.arange(count) / count
    shown = np.ceil(starts.round(6)).astype(np.int64)[:, None] + positions(frames)
    return np.asarray(np.minimum(shown, length - 1))


def spatial_views(height: int, width: int, crop: int, count: Literal[1, 3]) -> list[tuple[int, int]]:
    """Top and left of each square crop: along the longer side its start, middle and end, or the middle alone."""
    top, left = -((crop - height) // 2), -((crop - width) // 2)  # half, rounded up (released code)
    if count == 1:
        return [(top, left)]
    if height > width:
        return [(0, left), (top, left), (height - crop, left)]
    return [(top, 0), (top, left), (top, width - crop)]


def frames_of_views(length: int, fps: float, *, frames: Frames, count: int) -> np.ndarray:
    """Which frames of a video `count` temporal views show (count x F), from its length and its frames a second."""
    return temporal_views(length, counted_at(frames, fps), count)


def view_reader(frames: Frames, evaluate: Evaluate) -> Callable[[Path, Media], Chosen]:
    """What a decoding process does with a video that is tested: it keeps the frames of the views alone."""
    return partial(
        read_chosen,
        fps=frames.fps if frames.timeline == "constant" else None,
        short_side=evaluate.short_side,
        scaling=frames.scaling,
        choose=partial(frames_of_views, frames=frames, count=evaluate.temporal_views),  # the child gets no more
    )


def views(video_LYXC: np.ndarray, frames: Frames, evaluate: Evaluate, shown_TF: np.ndarray | None = None) -> np.ndarray:
    """All views of a decoded video, the crops of a temporal view side by side.

    Args:
        video_LYXC: its frames, uint8, RGB, of short side `evaluate.short_side`.
        frames: what a clip is.
        evaluate: how many views, and their crop.
        shown_TF: which of these frames each temporal view shows, where they are not the whole video.

    Returns:
        uint8, V x F x crop x crop x 3.
    """
    length, height, width, _ = video_LYXC.shape
    crop = evaluate.crop
    corners = spatial_views(height, width, crop, evaluate.spatial_views)
    times = temporal_views(length, frames, evaluate.temporal_views) if shown_TF is None else shown_TF
    views_VFYXC = np.empty((len(times) * len(corners), frames.count, crop, crop, 3), np.uint8)
    places = ((shown, corner) for shown in times for corner in corners)
    for view_FYXC, (shown, (top, left)) in zip(views_VFYXC, places, strict=True):
        view_FYXC[:] = video_LYXC[shown, top : top + crop, left : left + crop]
    return views_VFYXC


def batches(views_VFYXC: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Cut views into batches of one size, whatever their number, and say how many of each are real.

    The last is filled up with black clips: a batch of another size would differ in the last bits of its scores.
    """
    for start in range(0, len(views_VFYXC), size):
        batch = views_VFYXC[start : start + size]
        missing = size - len(batch)
        yield np.pad(batch, [(0, missing), *[(0, 0)] * 4]), len(batch)


def combine(scores_VN: np.ndarray, how: Literal["max", "mean"]) -> np.ndarray:
    """One score an action from its scores in all views (N)."""
    return np.asarray(scores_VN.max(axis=0) if how == "max" else scores_VN.mean(axis=0))
