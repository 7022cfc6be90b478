"""A picture's orientation: the display matrix of its metadata, of which the eight that keep pixels whole are applied.

In FFmpeg's layout the matrix is (a b u / c d v / x y w), row by row, and a pixel at (x, y) is shown at
(a x + c y, b x + d y): a negative determinant is a mirrored picture, as front cameras of phones write.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type


class Orientation(NamedTuple):
    """How to turn a decoded picture upright: swap its axes, then flip them."""

    swapped: bool
    left_right: bool
    """Flip columns."""
    top_bottom: bool
    """Flip rows."""


AS_STORED = Orientation(swapped=False, left_right=False, top_bottom=False)


class Oriented(NamedTuple):
    """A decoded frame and its orientation."""

    frame: Any
    orientation: Orientation


def oriented(frames: Iterable[Any]) -> Iterator[Oriented]:
    """Yield decoded frames, each with its orientation.

    A display matrix holds until the next: containers give it to every frame, codecs (H.264's and HEVC's SEI) to some.
    """
    orientation = AS_STORED
    for frame in frames:
        # `frame.side_data` refers back to its frame: such circles are not freed at once, and each picture stayed.
        matrix = SideDataContainer(frame).get(Type.DISPLAYMATRIX)  # type: ignore[call-arg]
        if matrix is not None:
            orientation = nearest(np.frombuffer(matrix, np.int32, count=5))
        yield Oriented(frame, orientation)


def nearest(matrix: np.ndarray) -> Orientation:
    """The nearest orientation to a display matrix, of which the first two rows count: a, b, u, c, d."""
    a, b, _, c, d = matrix.astype(np.float64)  # 16.16 fixed point; their products pass int32
    straight = max(abs(a + d), abs(a - d))  # how much of the matrix is a turn by 0 or 180 degrees, or such a mirror
    if straight >= max(abs(b + c), abs(b - c)):
        return Orientation(swapped=False, left_right=bool(a < 0), top_bottom=bool(d < 0))
    return Orientation(swapped=True, left_right=bool(c < 0), top_bottom=bool(b < 0))


def upright(picture_YXC: np.ndarray, orientation: Orientation) -> np.ndarray:
    """A view of the picture, upright."""
    if orientation.swapped:
        picture_YXC = picture_YXC.swapaxes(0, 1)
    if orientation.left_right:
        picture_YXC = picture_YXC[:, ::-1]
    if orientation.top_bottom:
        picture_YXC = picture_YXC[::-1]
    return picture_YXC
