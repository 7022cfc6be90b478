"""Decode a video's frames, on a constant time line or one by one."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from math import ceil, inf
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from av.video import VideoFrame, VideoStream
from av.video.reformatter import VideoReformatter

from pipeline.foundations.media.answers import Array
from pipeline.foundations.media.faults import Undecodable
from pipeline.foundations.media.orientation import Oriented, oriented, upright
from pipeline.foundations.media.scaling import FLAGS, between_pixels, displayed_size, scaled_size
from pipeline.foundations.media.source import decode, opened
from pipeline.foundations.params import Frames, Media, Scaling

SLACK = 0.002
"""Seconds; containers round times to as little as a millisecond, so a tick may fall just before its frame."""


class Pictures(NamedTuple):
    """A decoded video."""

    pixels: Annotated[np.ndarray, Array("uint8", 4)]
    """uint8, T x H x W x 3, RGB."""
    fps: float
    """Frames a second, of the time line or of the video."""


def reader(frames: Frames, short_side: int) -> Callable[[Path, Media], Pictures]:
    """`read_frames` with the settings of `frames`."""
    fps = frames.fps if frames.timeline == "constant" else None
    return partial(read_frames, fps=fps, short_side=short_side, scaling=frames.scaling)


def read_frames(
    path: Path,
    media: Media,
    *,
    fps: float | None,
    short_side: int | None,
    scaling: Scaling | Literal["sharp"] = "antialiased",
) -> Pictures:
    """Decode a video's pictures, scaled so that the short side is `short_side`.

    On a time line of `fps`, tick k, at k / fps seconds after the first picture, shows the last picture that began by
    then; the line ends with the last picture. Pictures are upright: the display matrix of the metadata, mirrored ones
    too, is applied. Pixels are taken as square unless `media.square_pixels`, and interlaced pictures as they are. Where
    a video changes its size on the way, later pictures are scaled to the first's, whatever their shape.

    Args:
        path: the video.
        media: the bounds.
        fps: of the time line; None gives each picture once, whatever its time.
        short_side: pixels; None leaves pictures as large as they are.
        scaling: `antialiased`; `sharp`, for what is to be scaled again; `released`, between the nearest pixels.

    Raises:
        Undecodable: anything that is wrong with the file.
    """
    pictures: list[np.ndarray] = []
    budget = media.memory_mb * 2**20 // 4  # of the array, which exists twice while it is made and while it is sent
    with shown(path, media, fps=fps, short_side=short_side, scaling=scaling) as (line, rate):
        for picture, ticks in line:
            pictures += [picture] * ticks
            if len(pictures) * picture.nbytes > budget:
                raise Undecodable(
                    f"more than {budget >> 20} MB of pictures at {rate:g} fps and {_size(short_side)}, a quarter of "
                    "media.memory_mb"
                )
    return Pictures(np.stack(pictures), rate)


class Chosen(NamedTuple):
    """Some pictures of a decoded video."""

    pixels: Annotated[np.ndarray, Array("uint8", 4)]
    """uint8, K x H x W x 3, RGB; each picture once."""
    fps: float
    """As of `Pictures`."""
    places: Annotated[np.ndarray, Array("int64", 2)]
    """Which of them each of the chosen numbers is."""


def read_chosen(
    path: Path,
    media: Media,
    *,
    fps: float | None,
    short_side: int | None,
    scaling: Scaling | Literal["sharp"],
    choose: Callable[[int, float], np.ndarray],
) -> Chosen:
    """Decode a video as `read_frames` does, and keep some of its pictures: memory does not grow with its length.

    A video whose pictures all fit into memory is decoded once; of a longer one they are counted first.

    Args:
        path: the video.
        media: the bounds.
        fps: of the time line, or None.
        short_side: pixels, or None.
        scaling: of the pictures.
        choose: which pictures, as numbers in two axes, from how many there are and how many a second.

    Raises:
        Undecodable: anything that is wrong with the file; or even the chosen pictures are too many.
    """
    budget = media.memory_mb * 2**20 // 4
    look = partial(shown, path, media, fps=fps, short_side=short_side, scaling=scaling)
    held: list[tuple[np.ndarray, int]] = []
    length = all_bytes = 0
    with look() as (line, rate):
        for picture, ticks in line:
            length, all_bytes = length + ticks, all_bytes + picture.nbytes
            if all_bytes <= budget:
                held.append((picture, ticks))
            else:
                held.clear()
    wanted = choose(length, rate)
    numbers, places = np.unique(wanted, return_inverse=True)
    if held:
        pictures = _numbered(held, numbers)
    else:
        with look() as (line, _):
            pictures = _numbered(line, numbers, budget=budget)
    return Chosen(np.stack(pictures), rate, places.reshape(wanted.shape))


def _numbered(line: Iterable[tuple[np.ndarray, int]], numbers: np.ndarray, *, budget: float = inf) -> list[np.ndarray]:
    """The pictures of some numbers, which rise."""
    found: list[np.ndarray] = []
    end = 0
    for picture, ticks in line:
        end += ticks
        while len(found) < len(numbers) and numbers[len(found)] < end:
            found.append(picture)
            if len(found) * picture.nbytes > budget:
                raise Undecodable(f"more than {int(budget) >> 20} MB of chosen pictures, a quarter of media.memory_mb")
        if len(found) == len(numbers):  # a long video is not decoded to its end again
            break
    return found


@contextmanager
def shown(
    path: Path, media: Media, *, fps: float | None, short_side: int | None, scaling: Scaling | Literal["sharp"]
) -> Iterator[tuple[Iterator[tuple[np.ndarray, int]], float]]:
    """Pictures one by one, each with the number of ticks that show it, and their rate; as `read_frames` says."""
    with opened(path, media, "video") as (container, stream):
        rate = fps or float(stream.average_rate or 0)
        if not rate:
            raise Undecodable("does not tell how many pictures it has a second, which frames.timeline: native needs")
        frames = oriented(decode(container, stream))
        line = _time_line(frames, fps, media.max_seconds) if fps else _one_by_one(frames, media.max_seconds)
        aspect = stream.sample_aspect_ratio if media.square_pixels and isinstance(stream, VideoStream) else None
        scaler = _Scaler(short_side, scaling, media.max_pixels, aspect)
        yield ((scaler.picture(frame), ticks) for frame, ticks in line), rate


def _time_line(frames: Iterator[Oriented], fps: float, max_seconds: float) -> Iterator[tuple[Oriented, int]]:
    """Yield each picture that is shown, and for how many ticks."""
    shown: Oriented | None = None
    begin, end, ticks = 0.0, 0.0, 0
    for each in frames:
        frame = each.frame
        time = frame.time if frame.time is not None else end  # the last of an AVI file come without
        if shown is None:
            begin = time
        due = _ticks_before(min(time - begin, max_seconds), fps) - ticks
        if shown is not None and due > 0:
            yield shown, due
            ticks += due
        if time - begin >= max_seconds:
            return
        shown, end = each, time + float((frame.duration or 0) * frame.time_base)
    if shown is not None:
        yield shown, max(_ticks_before(min(end - begin, max_seconds), fps) - ticks, 0 if ticks else 1)


def _one_by_one(frames: Iterator[Oriented], max_seconds: float) -> Iterator[tuple[Oriented, int]]:
    """Yield each picture that begins before the bound, once."""
    begin = None
    for each in frames:
        frame = each.frame
        if frame.time is not None:
            begin = frame.time if begin is None else begin
            if frame.time - begin >= max_seconds:
                return
        yield each, 1


def _ticks_before(seconds: float, fps: float) -> int:
    """How many ticks lie before a time, counting tick 0."""
    return ceil((seconds - SLACK) * fps)


class _Scaler:
    """Converts frames to upright RGB pictures of the first frame's size, as the ffmpeg program does."""

    def __init__(
        self, short_side: int | None, scaling: Scaling | Literal["sharp"], max_pixels: int, aspect: Fraction | None
    ) -> None:
        self._reformatter = VideoReformatter()
        self._short_side, self._scaling, self._max_pixels, self._aspect = short_side, scaling, max_pixels, aspect
        self._first: tuple[int, int] | None = None
        """Height and width of the first picture, as it is shown."""

    def picture(self, shown: Oriented) -> np.ndarray:
        """One picture."""
        frame, orientation = shown
        if self._first is None:
            own = self._own_size(frame)
            self._first = own[::-1] if orientation.swapped else own
        height, width = self._first[::-1] if orientation.swapped else self._first
        columns, rows = (frame.width, frame.height) if self._scaling == "released" else (width, height)
        scaled = self._reformatter.reformat(
            frame, columns, rows, "rgb24", interpolation=FLAGS[self._scaling], threads=1
        ).to_ndarray()
        if scaled.shape[:2] != (height, width):
            scaled = between_pixels(scaled, height, width)
        return upright(scaled, orientation)

    def _own_size(self, frame: VideoFrame) -> tuple[int, int]:
        """Height and width of a frame's picture before rotation."""
        height, width = displayed_size(frame.height, frame.width, self._aspect)
        if self._short_side is not None:
            scaling: Scaling = "antialiased" if self._scaling == "sharp" else self._scaling
            height, width = scaled_size(height, width, self._short_side, scaling)
        if width * height > self._max_pixels:
            raise Undecodable(f"{frame.width} x {frame.height} pixels are too long for {_size(self._short_side)}")
        return height, width


def _size(short_side: int | None) -> str:
    return "their own size" if short_side is None else f"short side {short_side}"
