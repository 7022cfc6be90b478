"""A video's pictures on a constant time line."""

from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from pipeline.media.faults import Undecodable
from pipeline.media.source import decode, opened
from pipeline.params import Media

SLACK = 0.002
"""Seconds; containers round times to as little as a millisecond, so a tick may fall just before its frame."""
SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
"""Bilinear with a support that grows as the picture shrinks; the same bytes on every CPU."""


def read_frames(path: Path, media: Media, *, fps: float, short_side: int) -> np.ndarray:
    """Decode a video's pictures on a time line of `fps`, scaled so that the short side is `short_side`.

    Tick k, at k / fps seconds after the first picture, shows the last picture that began by then; the line
    ends with the last picture. Rotation from the metadata is applied; pixels are taken as square, and interlaced
    pictures as they are.

    Returns:
        uint8 T x H x W x 3, RGB.

    Raises:
        Undecodable: anything that is wrong with the file.
    """
    pictures: list[np.ndarray] = []
    budget = media.memory_mb * 2**20 // 4  # for the array; it exists twice while it is made and while it travels
    with opened(path, media, "video") as (container, stream):
        scaler = VideoReformatter()
        for frame, ticks in _time_line(decode(container, stream), fps, media.max_seconds):
            picture = _picture(frame, scaler, short_side, media.max_pixels)
            pictures += [picture] * ticks
            if len(pictures) * picture.nbytes > budget:
                raise Undecodable(
                    f"more than {budget >> 20} MB of pictures at {fps:g} fps and short side {short_side}, a quarter of "
                    "media.memory_mb"
                )
    if len({picture.shape for picture in pictures}) != 1:
        raise Undecodable("pictures change their shape on the way")
    return np.stack(pictures)


def _time_line(frames: Iterator[Any], fps: float, max_seconds: float) -> Iterator[tuple[Any, int]]:
    """Yield each picture that is shown, and for how many ticks."""
    shown, begin, end, ticks = None, 0.0, 0.0, 0
    for frame in frames:
        time = frame.time if frame.time is not None else end  # the last of an AVI file come without
        if shown is None:
            begin = time
        due = _ticks_before(min(time - begin, max_seconds), fps) - ticks
        if shown is not None and due > 0:
            yield shown, due
            ticks += due
        if time - begin >= max_seconds:
            return
        shown, end = frame, time + float((frame.duration or 0) * frame.time_base)
    if shown is not None:
        yield shown, max(_ticks_before(min(end - begin, max_seconds), fps) - ticks, 0 if ticks else 1)


def _ticks_before(seconds: float, fps: float) -> int:
    """How many ticks lie before a time, counting tick 0."""
    return ceil((seconds - SLACK) * fps)


def _picture(frame: Any, scaler: VideoReformatter, short_side: int, max_pixels: int) -> np.ndarray:
    """One picture, scaled and upright."""
    scale = short_side / min(frame.width, frame.height)
    width, height = round(frame.width * scale), round(frame.height * scale)
    if width * height > max_pixels:
        raise Undecodable(f"{frame.width} x {frame.height} pixels are too long for a short side of {short_side}")
    scaled = scaler.reformat(frame, width, height, "rgb24", interpolation=SCALING, threads=1)
    return np.rot90(scaled.to_ndarray(), round(frame.rotation / 90))
