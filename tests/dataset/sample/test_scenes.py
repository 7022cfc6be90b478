"""A place is where the picture shows the action, and it is inside the frame."""

import numpy as np
import pytest

from pipeline.dataset.sample.cooccurrence import ACTIONS
from pipeline.dataset.sample.scenes import SHADOW, film, tracks

SIZE = {"frames": 24, "height": 128, "width": 170}


def luma(reel, height=128, width=170):
    return reel[:, : height * width].reshape(-1, height, width).astype(int)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_places_are_inside_the_frame(count):
    for start in range(0, 24, count):
        for track in tracks(5, f"video {start}", ACTIONS[start : start + count], **SIZE):
            assert len(track.places) == SIZE["frames"]
            for place in track.places:
                assert 0 <= place.x <= 170 - place.side
                assert 0 <= place.y <= 128 - place.side


@pytest.mark.parametrize("shape", [(64, 64), (64, 300), (300, 64)])
def test_places_are_inside_small_and_narrow_frames(shape):
    for number in range(10):
        for track in tracks(
            5, f"video {number}", ACTIONS[number : number + 4], frames=50, height=shape[0], width=shape[1]
        ):
            assert all(0 <= place.x <= shape[1] - place.side for place in track.places)
            assert all(0 <= place.y <= shape[0] - place.side for place in track.places)


@pytest.mark.parametrize("action", ACTIONS)
def test_the_picture_changes_where_the_place_says(action):
    [track] = tracks(5, action, [action], **SIZE)
    changed = luma(film(5, action, [track], **SIZE)) != luma(film(5, action, [], **SIZE))
    for place, there in zip(track.places, changed, strict=True):
        rows, columns = np.nonzero(there.any(axis=1))[0], np.nonzero(there.any(axis=0))[0]
        assert place.y <= rows[0] <= rows[-1] < place.y + place.side + SHADOW
        assert place.x <= columns[0] <= columns[-1] < place.x + place.side + SHADOW
        assert columns[-1] - columns[0] > place.side * 0.6
        assert rows[-1] - rows[0] > place.side * 0.6


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_moves_or_changes_within_a_training_clip(action):
    [track] = tracks(5, action, [action], **SIZE)
    assert len(set(track.places[:8])) >= 4


def test_four_actions_hardly_hide_each_other():
    hidden = []
    for number in range(60):
        shown = tracks(5, f"video {number}", [ACTIONS[(number + 7 * step) % 24] for step in range(4)], **SIZE)
        cover = np.zeros((128, 170), dtype=int)
        for place in (track.places[0] for track in shown):
            cover[place.y : place.y + place.side, place.x : place.x + place.side] += 1
        hidden.append((cover > 1).sum() / (cover > 0).sum())
    assert np.mean(hidden) < 0.05
    assert max(hidden) < 0.35


def test_frames_are_legal_video_planes():
    reel = film(5, "x", tracks(5, "x", ACTIONS[:3], **SIZE), **SIZE)
    assert reel.shape == (24, 128 * 170 * 3 // 2)
    assert reel.dtype == np.uint8
    assert 16 <= luma(reel).min() <= luma(reel).max() <= 235


def test_a_video_depends_on_its_name_and_seed_alone():
    once, again = (film(5, "x", tracks(5, "x", ["diving"], **SIZE), **SIZE) for _ in range(2))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, film(5, "y", tracks(5, "y", ["diving"], **SIZE), **SIZE))
    assert not np.array_equal(once, film(6, "x", tracks(6, "x", ["diving"], **SIZE), **SIZE))
