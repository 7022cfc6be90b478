"""Sine and cosine as integers: floats of the mathematics library may differ between processors, these do not."""

import math

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

TURN = 4096
"""Steps in a full turn."""
ONE = 1 << 14
"""What stands for 1.0."""

# Rounding is safe: no value lies within 1e-6 of a half (a test holds that), and libraries differ by some 1e-12.
_SINE: Integers = np.array([round(math.sin(2 * math.pi * step / TURN) * ONE) for step in range(TURN)], dtype=np.int64)


def sine(angle: Integers) -> Integers:
    """ONE x the sine of angles in steps of a TURN, any integers."""
    return _SINE[angle % TURN]


def sine_of(angle: int) -> int:
    """ONE x the sine of one angle in steps of a TURN, any integer."""
    return int(_SINE[angle % TURN])


def cosine_of(angle: int) -> int:
    """ONE x the cosine of one angle in steps of a TURN, any integer."""
    return sine_of(angle + TURN // 4)
