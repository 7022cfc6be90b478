"""Shapes stay in their disc and can be told apart; textures mark a fair part."""

from itertools import combinations

import numpy as np
import pytest

from pipeline.dataset.sample.shapes import SHAPES, TEXTURES

X, Y = np.meshgrid(np.arange(-1024, 1024, 8, dtype=np.int32), np.arange(-1024, 1024, 8, dtype=np.int32))
AREAS = {  # of the square from -1000 to 1000, by geometry
    "disc": np.pi / 4,
    "ring": np.pi * (1 - 0.48**2) / 4,
    "square": 0.7**2,
    "triangle": 1500 * (2 * 1500 * 4 / 7) / 2 / 2000**2,
    "diamond": 700 * 1000 * 2 / 2000**2,
    "cross": (2 * 1880 * 600 - 600**2) / 2000**2,
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_fits_its_disc_so_that_it_may_turn(name):
    inside = SHAPES[name](X, Y)
    assert (X[inside] ** 2 + Y[inside] ** 2).max() <= 1036**2
    assert 0.2 < inside.mean() < 0.8


@pytest.mark.parametrize("name", AREAS)
def test_a_shape_has_its_area(name):
    assert SHAPES[name](X, Y).mean() * (2048 / 2000) ** 2 == pytest.approx(AREAS[name], abs=0.01)


def test_shapes_differ_by_a_tenth_of_what_they_cover():
    for one, other in combinations(SHAPES, 2):
        a, b = SHAPES[one](X, Y), SHAPES[other](X, Y)
        assert (a ^ b).sum() > 0.1 * (a | b).sum(), (one, other)


@pytest.mark.parametrize("name", TEXTURES)
def test_a_texture_marks_a_fair_part(name):
    share = TEXTURES[name](X, Y)[SHAPES["disc"](X, Y)].mean()
    assert share == 0 if name == "plain" else 0.2 < share < 0.8
