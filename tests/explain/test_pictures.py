"""Pictures under heat, looked at pixel by pixel."""

import numpy as np
import pytest
from PIL import Image

from pipeline.dataset.sample.places import Place
from pipeline.explain.pictures import (
    GAP,
    STRENGTH,
    outlined,
    overlay,
    spread,
    with_places,
    write_moving,
    write_strip,
)

HOTTEST = np.array([252, 255, 164])  # the last colour of matplotlib's inferno


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 24, 32, 3), dtype=np.uint8)


def test_without_heat_a_picture_is_grey(pictures):
    drawn = overlay(pictures, np.zeros((3, 6, 8)), hottest=0.0)
    grey = pictures @ np.array([0.299, 0.587, 0.114])
    assert np.abs(drawn - grey[..., None]).max() <= 0.5


def test_the_hottest_place_is_brightest(pictures):
    heat = np.zeros((3, 24, 32))
    heat[1, 5, 7] = 4.0
    drawn = overlay(pictures, heat, hottest=4.0)
    grey = pictures[1, 5, 7] @ np.array([0.299, 0.587, 0.114])
    assert drawn[1, 5, 7] == pytest.approx((1 - STRENGTH) * grey + STRENGTH * HOTTEST, abs=1)
    assert (drawn[1, 5, 8] == drawn[1, 5, 8, 0]).all()  # grey again beside it


def test_heat_of_another_size_lies_where_it_belongs(pictures):
    heat = np.zeros((3, 6, 8))
    heat[:, 5, 0] = 1.0  # the lower left corner
    drawn = overlay(pictures, heat, hottest=1.0).astype(int)
    coloured = np.argwhere((drawn.max(-1) - drawn.min(-1))[0] > 20)
    assert coloured[:, 0].min() >= 24 - 8
    assert coloured[:, 1].max() <= 8


def test_a_square_is_drawn_along_its_edges():
    drawn = outlined(np.zeros((20, 40, 3), dtype=np.uint8), Place(0.0, 0.25, 0.1, 0.5, 0.6))
    rows, columns = np.nonzero(drawn[..., 0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 11, 10, 19)
    assert not drawn[3:11, 11:19].any()


def test_each_frame_has_the_square_of_its_time(pictures):
    """It moves from the upper left quarter of 32 x 24 pixels to the lower right one, in a second."""
    black = np.zeros_like(pictures)
    places = [Place(0.0, 0.0, 0.0, 0.5, 0.5), Place(1.0, 0.5, 0.5, 1.0, 1.0)]
    drawn = with_places(black, np.array([0, 15, 60]), places, fps=30.0)
    corners = [tuple(int(edge.min()) for edge in np.nonzero(frame[..., 0])) for frame in drawn]
    assert corners == [(0, 0), (6, 8), (12, 16)]
    assert with_places(black, np.array([0, 14, 16]), [], fps=30.0) is black


def test_a_strip_has_its_first_and_last_frame():
    assert spread(48, 6).tolist() == [0, 9, 19, 28, 38, 47]
    assert spread(2, 6).tolist() == [0, 1]


def test_a_strip_is_as_wide_as_its_pictures_and_clear_between(pictures, tmp_path):
    write_strip(tmp_path / "strip.webp", pictures)
    with Image.open(tmp_path / "strip.webp") as strip:
        assert strip.size == (3 * 32 + 2 * GAP, 24)
        alpha = np.asarray(strip.convert("RGBA"))[..., 3]
    assert (alpha[:, :32] == 255).all()
    assert (alpha[:, 32 : 32 + GAP] == 0).all()


def test_moving_pictures_keep_the_videos_time(pictures, tmp_path):
    write_moving(tmp_path / "moving.webp", pictures, np.array([0, 2, 5]), fps=10.0)
    with Image.open(tmp_path / "moving.webp") as moving:
        assert moving.n_frames == 3
        assert moving.info["loop"] == 0
        durations = []
        for frame in range(3):
            moving.seek(frame)
            moving.load()
            durations.append(moving.info["duration"])
    assert durations == [200, 300, 500]


def test_the_same_pictures_are_the_same_bytes(pictures, tmp_path):
    for name in ("one.webp", "two.webp"):
        write_moving(tmp_path / name, pictures, np.arange(3), fps=10.0)
        write_strip(tmp_path / f"strip-{name}", pictures)
    assert (tmp_path / "one.webp").read_bytes() == (tmp_path / "two.webp").read_bytes()
    assert (tmp_path / "strip-one.webp").read_bytes() == (tmp_path / "strip-two.webp").read_bytes()
