"""Views against golden values of the released code, DESIGN.md's numbers and cases by hand."""

import numpy as np
import pytest

from pipeline.evaluate.views import batches, combine, spatial_views, temporal_views, views


@pytest.fixture
def frames(params):
    return params.frames.model_copy(
        update={"span": 16, "count": 8, "positions": "linspace", "mean": 0.45, "std": 0.225}
    )


@pytest.fixture
def evaluate(params):
    changes = {"temporal_views": 4, "spatial_views": 3, "short_side": 12, "crop": 10}
    return params.evaluate.model_copy(update=changes)


def test_the_first_of_ten_views_shows_the_positions_of_the_design(frames):
    assert temporal_views(90, frames, 10)[0].tolist() == [0, 2, 4, 6, 8, 10, 12, 15]


def test_ten_views_of_three_seconds_start_at_tenths_of_what_is_left_over(frames):
    starts = temporal_views(90, frames, 10)[:, 0]
    assert starts.tolist() == [int(np.ceil(74 * i / 10)) for i in range(10)]


@pytest.mark.parametrize("length", [9, 26, 75, 90, 200])
def test_views_are_those_of_the_released_code(frames, length, golden_released):
    """A view that starts between two frames has its last one too: view 1 of 90 is 8, 10, ..., 20, 23."""
    assert temporal_views(length, frames, 10).tolist() == golden_released[f"views_{length}"].tolist()


@pytest.mark.parametrize("length", [1, 5, 15])
def test_a_short_video_stands_still_at_its_last_frame(frames, length):
    shown = temporal_views(length, frames, 3)
    assert (shown == np.minimum([0, 2, 4, 6, 8, 10, 12, 15], length - 1)).all()


@pytest.mark.parametrize("length", [16, 90, 91])
def test_strides_stay_even(frames, length):
    shown = temporal_views(length, frames.model_copy(update={"positions": "stride"}), 10)
    assert (np.diff(shown, axis=1) == 2).all()
    assert shown.max() < length


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (56, 74, [(0, 0), (0, 9), (0, 18)]),
        (74, 56, [(0, 0), (9, 0), (18, 0)]),
        (56, 56, [(0, 0), (0, 0), (0, 0)]),
        (56, 75, [(0, 0), (0, 10), (0, 19)]),  # half of 19, rounded up, as released
    ],
)
def test_three_crops_lie_along_the_longer_side(height, width, expected):
    assert spatial_views(height, width, 56, 3) == expected


def test_one_crop_is_the_middle():
    assert spatial_views(60, 80, 56, 1) == [(2, 12)]


def test_three_crops_of_a_larger_frame_stay_in_the_middle_of_its_short_side():
    assert spatial_views(60, 80, 56, 3) == [(2, 0), (2, 12), (2, 24)]


def test_each_view_holds_the_pixels_of_its_frames_and_crop(frames, evaluate):
    video = np.random.default_rng(0).integers(0, 256, (40, 12, 20, 3), dtype=np.uint8)
    made = views(video, frames, evaluate)
    assert made.shape == (12, 8, 10, 10, 3)
    times, corners = temporal_views(40, frames, 4), spatial_views(12, 20, 10, 3)
    for view in range(12):
        time, (top, left) = times[view // 3], corners[view % 3]
        for position, frame in enumerate(time):
            np.testing.assert_array_equal(made[view, position], video[frame, top : top + 10, left : left + 10])


@pytest.mark.parametrize(("count", "size", "real"), [(30, 30, [30]), (12, 5, [5, 5, 2]), (3, 8, [3])])
def test_batches_have_one_size_and_hold_every_view_once(count, size, real):
    made = np.arange(1, count + 1, dtype=np.uint8).reshape(count, 1, 1, 1, 1)
    cut = list(batches(made, size))
    assert [number for _, number in cut] == real
    assert {batch.shape for batch, _ in cut} == {(size, 1, 1, 1, 1)}
    np.testing.assert_array_equal(np.concatenate([batch[:number] for batch, number in cut]), made)
    assert not cut[-1][0][real[-1] :].any()


def test_views_combine_by_their_largest_or_their_mean_score():
    scores = np.array([[0.1, 0.8], [0.5, 0.2]])
    assert combine(scores, "max").tolist() == [0.5, 0.8]
    assert combine(scores, "mean").tolist() == [0.3, 0.5]


def test_one_view_of_segments_shows_the_middle_of_each_as_tsn_does(frames):
    """By hand, as published: eight segments of 11.25 frames; half of one is 5.625."""
    shown = temporal_views(90, frames.model_copy(update={"positions": "segments"}), 1)
    assert shown.tolist() == [[5, 16, 28, 39, 50, 61, 73, 84]]


@pytest.mark.parametrize("length", [1, 5, 8, 90, 201])
def test_views_of_segments_rise_and_lie_within_their_segments(frames, length):
    shown = temporal_views(length, frames.model_copy(update={"positions": "segments"}), 10)
    assert shown.shape == (10, 8)
    bounds = np.arange(9) * length / 8
    assert (shown >= np.floor(bounds[:-1])).all()
    assert (shown < np.ceil(bounds[1:])).all()
    assert (np.diff(shown, axis=0) >= 0).all()
