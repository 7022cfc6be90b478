"""Sine and cosine as integers: floats of the mathematics library may differ between processors, these do not."""

import math

import numpy as np

TURN = 4096
"""Steps in a full turn."""
ONE = 1 << 14
"""What stands for 1.0."""

# Rounding is safe: no value lies within 1e-6 of a half (a test holds that), while libraries differ by 1e-12 of a step.
_SINE = np.array([round(math.sin(2 * math.pi * step / TURN) * ONE) for step in range(TURN)], dtype=np.int32)


def sine(angle: np.ndarray | int) -> np.ndarray:
    """ONE x sin of an angle in steps of a TURN, any integer; int32 of the angle's shape."""
    return _SINE[np.asarray(angle) & (TURN - 1)]


def cosine(angle: np.ndarray | int) -> np.ndarray:
    """ONE x cos of an angle in steps of a TURN, any integer; int32 of the angle's shape."""
    return sine(np.asarray(angle) + TURN // 4)
