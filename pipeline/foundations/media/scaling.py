"""Sizes of scaled pictures, swscale's flags, and the released code's scaling."""

from fractions import Fraction

import numpy as np
from av.video.reformatter import Interpolation

from pipeline.foundations.params import Scaling

_EXACT = Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_FULL_COLOUR = Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
FLAGS = {
    "antialiased": Interpolation.BILINEAR | _EXACT | _FULL_COLOUR,
    "sharp": Interpolation.LANCZOS | _EXACT | _FULL_COLOUR,
    "released": Interpolation.BILINEAR | Interpolation.BITEXACT,  # conversion to RGB alone, as PyAV's `to_rgb`
}
"""The same bytes on every CPU. The support of the filters grows as the picture shrinks. Without full colour, swscale
gives neighbours one colour, and scaling in two steps then costs a grey level more."""


def displayed_size(height: int, width: int, aspect: Fraction | None) -> tuple[int, int]:
    """Height and width of a picture in square pixels: its width times the pixels' aspect ratio, at least one."""
    return height, max(1, round(width * (aspect or 1)))


def scaled_size(height: int, width: int, short_side: int, scaling: Scaling) -> tuple[int, int]:
    """Height and width in pixels with the short side as asked; the long side is rounded (`released`: cut off)."""
    short, long = min(height, width), max(height, width)
    long_side = int(long / short * short_side) if scaling == "released" else round(long * short_side / short)
    return (short_side, long_side) if height <= width else (long_side, short_side)


def between_pixels(picture_YXC: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture, uint8, scaled between its four nearest pixels without antialiasing: `F.interpolate`'s bilinear mode.

    The released code does this with PyTorch, which decoding processes do not load.
    """
    below_Y, above_Y, part_Y = _neighbours(len(picture_YXC), height)
    below_X, above_X, part_X = _neighbours(picture_YXC.shape[1], width)
    part_YX1, part_X1 = part_Y[:, None, None], part_X[:, None]
    rows_YXC = picture_YXC[below_Y] * (1 - part_YX1) + picture_YXC[above_Y] * part_YX1
    scaled_YXC = rows_YXC[:, below_X] * (1 - part_X1) + rows_YXC[:, above_X] * part_X1
    return np.asarray(np.rint(scaled_YXC).astype(np.uint8))


def _neighbours(size: int, scaled: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each pixel of a scaled side, the two of the source that it lies between, and how far it is from the first."""
    place = np.maximum((np.arange(scaled) + 0.5) * (size / scaled) - 0.5, 0)
    below = place.astype(np.int64)
    return below, np.minimum(below + 1, size - 1), (place - below).astype(np.float32)
