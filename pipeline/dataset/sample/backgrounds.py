"""Backgrounds: muted, textured, slowly drifting, of changing brightness, independent of the actions."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.dataset.sample.sine import ONE, TURN, Integers, sine

DRIFT = 24
"""How far the camera may wander over the backdrop, in pixels."""


class Backdrop(NamedTuple):
    """A picture, of the frame's size or larger by DRIFT rows and columns; int32."""

    luma: np.ndarray
    blue: np.ndarray
    """Chroma U, at half the size."""
    red: np.ndarray
    """Chroma V, at half the size."""


def backdrop(rng: np.random.Generator, height: int, width: int) -> Backdrop:
    """Draw a backdrop for frames of `height` x `width`."""
    rows, columns = height + DRIFT, width + DRIFT
    clouds = _clouds(rng, rows, columns, 32) * 2 // 3 + _clouds(rng, rows, columns, 8) // 3
    pattern = PATTERNS[rng.integers(len(PATTERNS))](rng, clouds)
    grain = rng.integers(-2, 3, size=(rows, columns))
    luma = int(rng.integers(88, 138)) + pattern * int(rng.integers(50, 90)) // 200 + grain
    tint, shade = rng.integers(-13, 14, size=(2, 2))
    blue, red = (128 + int(tint[plane]) + int(shade[plane]) * clouds[::2, ::2] // 160 for plane in (0, 1))
    return Backdrop(*(np.clip(plane, 24, 220).astype(np.int32) for plane in (luma, blue, red)))


def _plain(rng: np.random.Generator, clouds: Integers) -> Integers:
    return clouds


def _waves(rng: np.random.Generator, clouds: Integers) -> Integers:
    rows, columns = _axes(clouds)
    length, slant = int(rng.integers(14, 40)), int(rng.integers(-1, 2))
    return clouds // 2 + sine((2 * rows + slant * columns + clouds // 3) * TURN // (2 * length)) * 55 // ONE


def _tiles(rng: np.random.Generator, clouds: Integers) -> Integers:
    rows, columns = _axes(clouds)
    side = int(rng.integers(14, 40))
    dark: Integers = (rows // side + columns // side) % 2
    return clouds // 2 + dark * 52 - 26


def _slope(rng: np.random.Generator, clouds: Integers) -> Integers:
    rows, columns = (axis * 200 // axis.size - 100 for axis in _axes(clouds))
    return clouds // 2 + (rows * int(rng.integers(20, 60)) + columns * int(rng.integers(-40, 41))) // 100


def _axes(picture: Integers) -> tuple[Integers, Integers]:
    """Numbers of the rows, as a column, and of the columns, as a row."""
    return np.arange(picture.shape[0])[:, None], np.arange(picture.shape[1])[None, :]


PATTERNS: tuple[Callable[[np.random.Generator, Integers], Integers], ...] = (_plain, _waves, _tiles, _slope)
"""From clouds to what is drawn over them, about -128 to 128."""


def _clouds(rng: np.random.Generator, rows: int, columns: int, cell: int) -> Integers:
    """Random heights on a lattice of `cell` pixels, joined linearly; rows x columns, -128 to 128."""
    lattice = rng.integers(-128, 129, size=(rows // cell + 2, columns // cell + 2))
    return _stretch(_stretch(lattice, cell)[:rows].T, cell)[:columns].T


def _stretch(values: Integers, cell: int) -> Integers:
    """Put `cell` - 1 rows on the straight line between each two rows."""
    part = np.arange(cell)[None, :, None]
    between = (values[:-1, None] * (cell - part) + values[1:, None] * part) // cell
    return between.reshape(-1, values.shape[1])


def drift(rng: np.random.Generator, frames: int) -> Integers:
    """Where the frame lies on the backdrop over time; frames x (row, column), 0 to DRIFT."""
    start, period = rng.integers(TURN, size=2), rng.integers(60, 200, size=2)
    angle = start + np.arange(frames)[:, None] * TURN // period
    return (sine(angle) + ONE) * DRIFT // (2 * ONE)


def brightness(rng: np.random.Generator, frames: int) -> Integers:
    """The light over time, per 256: a level of the video's own, slowly rising and falling; shape (frames,)."""
    level, depth = int(rng.integers(226, 287)), int(rng.integers(0, 26))
    start, period = int(rng.integers(TURN)), int(rng.integers(15, 90))
    return level + sine(start + np.arange(frames) * TURN // period) * depth // ONE
