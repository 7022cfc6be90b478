"""How actions move: eight motions, each a pose for every frame of a period."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pipeline.dataset.sample.sine import ONE, TURN, cosine_of, sine_of

REACH = 11
"""How far a motion carries an action from its middle, in pixels."""
TURN_STEP = TURN // 32
"""Angles are drawn in 32 steps, few enough to keep."""


class Pose(NamedTuple):
    """Where and how an action is, relative to its look and its middle."""

    x: int = 0
    """Pixels to the right."""
    y: int = 0
    """Pixels down."""
    scale: int = 100
    """Per cent of its side."""
    turn: int = 0
    """Steps of `sine.TURN`."""
    opacity: int = 100
    """Per cent of its opacity."""


def _wave(angle: int, size: int) -> int:
    return sine_of(angle) * size // ONE


def _pace(angle: int) -> Pose:
    return Pose(x=_wave(angle, REACH))


def _bob(angle: int) -> Pose:
    return Pose(y=_wave(angle, REACH))


def _orbit(angle: int) -> Pose:
    return Pose(x=cosine_of(angle) * REACH // ONE, y=_wave(angle, REACH))


def _hop(angle: int) -> Pose:
    return Pose(x=_wave(angle // 2, 6), y=REACH - abs(_wave(angle // 2, 2 * REACH)))


def _spin(angle: int) -> Pose:
    return Pose(turn=angle // TURN_STEP * TURN_STEP % TURN)


def _sway(angle: int) -> Pose:
    return Pose(turn=_wave(angle, 5) * TURN_STEP % TURN)


def _swell(angle: int) -> Pose:
    return Pose(scale=90 + _wave(angle, 28))


def _blink(angle: int) -> Pose:
    return Pose(opacity=62 + _wave(angle, 38))


MOTIONS: Mapping[str, Callable[[int], Pose]] = {
    "pace": _pace,
    "bob": _bob,
    "orbit": _orbit,
    "hop": _hop,
    "spin": _spin,
    "sway": _sway,
    "swell": _swell,
    "blink": _blink,
}
"""From an angle in steps of `sine.TURN` (a period is a turn) to the pose."""
