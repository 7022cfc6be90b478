"""Shapes and textures, as integer inequalities over a square from -1024 to 1024; y points down.

Every shape lies in the disc of radius 1036, so that its square cuts off next to nothing of it as it turns.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.int32]
Mask = NDArray[np.bool_]
Figure = Callable[[Grid, Grid], Mask]
"""From the grid's x and y, each of its shape, to where the figure is."""


def _disc(x: Grid, y: Grid, *, at: tuple[int, int] = (0, 0), radius: int = 1000) -> Mask:
    return (x - at[0]) ** 2 + (y - at[1]) ** 2 <= radius**2


def _ring(x: Grid, y: Grid) -> Mask:
    return _disc(x, y) & ~_disc(x, y, radius=480)


def _square(x: Grid, y: Grid) -> Mask:
    return np.maximum(abs(x), abs(y)) <= 700


def _triangle(x: Grid, y: Grid) -> Mask:
    return (y <= 500) & (7 * abs(x) <= 4 * (y + 1000))


def _diamond(x: Grid, y: Grid) -> Mask:
    return 10 * abs(x) + 7 * abs(y) <= 7000


def _cross(x: Grid, y: Grid) -> Mask:
    return (np.minimum(abs(x), abs(y)) <= 300) & (np.maximum(abs(x), abs(y)) <= 940)


def _star(x: Grid, y: Grid) -> Mask:
    return _triangle(x, y) | _triangle(x, -y)


def _crescent(x: Grid, y: Grid) -> Mask:
    return _disc(x, y) & ~_disc(x, y, at=(480, -240), radius=800)


def _heart(x: Grid, y: Grid) -> Mask:
    lobes = _disc(x, y, at=(-430, -330), radius=450) | _disc(x, y, at=(430, -330), radius=450)
    return lobes | ((y >= -330) & (14 * abs(x) + 10 * (y + 330) <= 12300)) & (abs(x) <= 870)


def _drop(x: Grid, y: Grid) -> Mask:
    return _disc(x, y, at=(0, 380), radius=600) | ((y <= 380) & (5 * abs(x) <= 2 * (y + 1000)))


def _bow(x: Grid, y: Grid) -> Mask:
    return (4 * abs(y) <= 3 * abs(x) + 400) & (abs(x) <= 780)


def _flower(x: Grid, y: Grid) -> Mask:
    inside = _disc(x, y, at=(0, -600), radius=370)
    for petal in ((520, -300), (520, 300), (0, 600), (-520, 300), (-520, -300)):
        inside |= _disc(x, y, at=petal, radius=370)
    return inside


SHAPES: Mapping[str, Figure] = {
    "disc": _disc,
    "ring": _ring,
    "square": _square,
    "triangle": _triangle,
    "diamond": _diamond,
    "cross": _cross,
    "star": _star,
    "crescent": _crescent,
    "heart": _heart,
    "drop": _drop,
    "bow": _bow,
    "flower": _flower,
}


def _plain(x: Grid, y: Grid) -> Mask:
    return np.zeros(x.shape, dtype=bool)


def _stripes(x: Grid, y: Grid) -> Mask:
    return (x + y) // 300 % 2 < 1


def _checks(x: Grid, y: Grid) -> Mask:
    return (x // 290 + y // 290) % 2 < 1


def _dots(x: Grid, y: Grid) -> Mask:
    return (x % 460 - 230) ** 2 + (y % 460 - 230) ** 2 <= 140**2


def _circles(x: Grid, y: Grid) -> Mask:
    edges = np.array([180, 380, 580, 780]) ** 2
    return np.searchsorted(edges, x**2 + y**2) % 2 < 1


def _half(x: Grid, y: Grid) -> Mask:
    return x > 0


TEXTURES: Mapping[str, Figure] = {
    "plain": _plain,
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "circles": _circles,
    "half": _half,
}
