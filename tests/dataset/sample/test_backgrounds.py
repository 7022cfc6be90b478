"""Backdrops: in range, larger than the frame by the drift, different for each video."""

import numpy as np
import pytest

from pipeline.dataset.sample.backgrounds import DRIFT, PATTERNS, backdrop, brightness, drift
from pipeline.foundations.tables.seeds import generator


@pytest.mark.parametrize("number", range(12))
def test_a_backdrop_is_muted_and_large_enough(number):
    picture = backdrop(generator(number, "backdrop"), 128, 170)
    assert picture.luma.shape == (128 + DRIFT, 170 + DRIFT)
    assert picture.blue.shape == picture.red.shape == ((128 + DRIFT) // 2, (170 + DRIFT) // 2)
    assert 24 <= picture.luma.min() < picture.luma.max() <= 220
    for plane in (picture.blue, picture.red):
        assert np.abs(plane - 128).max() <= 24  # far from the colours of actions


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_keep_to_their_range(pattern):
    clouds = np.broadcast_to(np.array([[-128, 128]]), (100, 2)).repeat(60, 1)
    drawn = pattern(generator(5, "pattern"), clouds)
    assert drawn.shape == clouds.shape
    assert np.abs(drawn).max() <= 150


def test_the_camera_drifts_within_its_room():
    paths = [drift(generator(number, "drift"), 150) for number in range(20)]
    assert all(path.min() >= 0 and path.max() <= DRIFT for path in paths)
    assert all(np.abs(np.diff(path, axis=0)).max() <= 2 for path in paths)  # smoothly


def test_the_light_changes_slowly_around_one():
    lights = np.array([brightness(generator(number, "light"), 45) for number in range(50)])
    assert lights.min() >= 200
    assert lights.max() <= 312
    assert abs(lights.mean() - 256) < 8
    assert np.abs(np.diff(lights, axis=1)).max() <= 12
