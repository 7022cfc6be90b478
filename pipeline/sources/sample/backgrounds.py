"""What lies behind the actions: muted, textured, slowly drifting, of changing brightness; it tells nothing."""

from typing import NamedTuple

import numpy as np

from pipeline.sources.sample.sine import ONE, TURN, sine

DRIFT = 24
"""How far the camera may wander over the backdrop, in pixels."""


class Backdrop(NamedTuple):
    """A picture larger than the frame by DRIFT on each side's far end; int32."""

    luma: np.ndarray
    blue: np.ndarray
    """Chroma U, at half the size."""
    red: np.ndarray
    """Chroma V, at half the size."""


def backdrop(rng: np.random.Generator, height: int, width: int) -> Backdrop:
    """Draw a backdrop for frames of `height` x `width`: clouds, waves, tiles or beams."""
    rows, columns = height + DRIFT, width + DRIFT
    y, x = np.arange(rows, dtype=np.int32)[:, None], np.arange(columns, dtype=np.int32)[None, :]
    clouds = _clouds(rng, rows, columns, 32) * 2 // 3 + _clouds(rng, rows, columns, 8) // 3
    pitch = int(rng.integers(14, 40))
    kind = rng.integers(4)
    if kind == 0:
        pattern = clouds
    elif kind == 1:
        pattern = (
            clouds // 2 + sine((y * 2 + clouds // 3 + x * int(rng.integers(-1, 2))) * TURN // (2 * pitch)) * 55 // ONE
        )
    elif kind == 2:
        pattern = clouds // 2 + np.where((x // pitch + y // pitch) % 2 == 0, 26, -26)
    else:
        pattern = (
            clouds // 2 + (x - columns // 2) * int(rng.integers(-60, 61)) // columns + (y - rows // 2) * 70 // rows
        )
    grain = rng.integers(-3, 4, size=(rows, columns))
    luma = int(rng.integers(88, 138)) + pattern * int(rng.integers(50, 90)) // 200 + grain
    tint = rng.integers(-13, 14, size=(2, 2))
    half = clouds[::2, ::2]
    blue, red = (128 + int(tint[0, plane]) + int(tint[1, plane]) * half // 160 for plane in (0, 1))
    return Backdrop(np.clip(luma, 24, 220).astype(np.int32), blue.astype(np.int32), red.astype(np.int32))


def _clouds(rng: np.random.Generator, rows: int, columns: int, cell: int) -> np.ndarray:
    """Random heights on a lattice of `cell` pixels, joined linearly; rows x columns, about -128 to 128."""
    lattice = rng.integers(-128, 129, size=(rows // cell + 2, columns // cell + 2))
    for axis, size in ((0, rows), (1, columns)):
        lattice = _stretch(np.moveaxis(lattice, axis, 0), cell)[:size]
        lattice = np.moveaxis(lattice, 0, axis)
    return lattice


def _stretch(values: np.ndarray, cell: int) -> np.ndarray:
    """Put `cell` - 1 values on the straight line between each two rows."""
    part = np.arange(cell)[None, :, None]
    between = (values[:-1, None] * (cell - part) + values[1:, None] * part) // cell
    return between.reshape(-1, values.shape[1])


def drift(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Where the frame lies on the backdrop over time; frames x (row, column), 0 to DRIFT."""
    start, period = rng.integers(TURN, size=2), rng.integers(120, 400, size=2)
    angle = start + np.arange(frames)[:, None] * TURN // period
    return (sine(angle) + ONE) * DRIFT // (2 * ONE)


def brightness(rng: np.random.Generator, frames: int) -> np.ndarray:
    """The light over time, per 256; a level of its own for each video, slowly rising and falling."""
    level, depth = int(rng.integers(226, 287)), int(rng.integers(0, 26))
    start, period = int(rng.integers(TURN)), int(rng.integers(30, 180))
    return level + sine(start + np.arange(frames) * TURN // period) * depth // ONE
