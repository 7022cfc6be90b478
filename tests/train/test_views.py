import numpy as np
import pytest

from pipeline.train.views import Size, center_view, random_view, window

STORED = Size(length=90, width=256, height=192, fps=30.0)


@pytest.fixture
def paper(params):
    """The paper's clips: 8 frames of 16, 112 of a short side between 128 and 160."""
    changes = {"span": 16, "count": 8, "positions": "linspace", "fps": 30.0}
    frames = params.frames.model_copy(update=changes)
    return frames, params.train.model_copy(update={"jitter": (128, 160), "crop": 112, "flip": 0.5})


@pytest.fixture
def draw(paper):
    frames, train = paper

    def view(video_id="v", epoch=0, *, size=STORED, seed=1, purpose="train", augmentation="uniform"):
        chosen = train.model_copy(update={"augmentation": augmentation})
        return random_view(size, video_id, epoch, seed=seed, purpose=purpose, frames=frames, train=chosen)

    return view


@pytest.mark.parametrize("augmentation", ["uniform", "released"])
def test_a_view_lies_within_the_video(draw, augmentation):
    for width, height, length in ((256, 192, 90), (160, 160, 16), (400, 160, 20), (160, 161, 3)):
        for epoch in range(200):
            view = draw(epoch=epoch, size=Size(length, width, height, 30.0), augmentation=augmentation)
            assert 0 <= view.left <= view.width - 112
            assert 0 <= view.top <= view.height - 112
            assert all(0 <= frame < length for frame in view.frames)
            assert len(view.frames) == 8


def test_all_windows_scales_and_places_are_drawn(draw):
    views = [draw(epoch=epoch) for epoch in range(8000)]
    assert {view.frames[0] for view in views} == set(range(90 - 16 + 1))
    assert {view.height for view in views} == set(range(128, 161))
    assert all(view.width == round(view.height * 256 / 192) for view in views)
    assert min(view.left for view in views) == min(view.top for view in views) == 0
    assert min(view.width - view.left for view in views) == min(view.height - view.top for view in views) == 112
    assert 0.45 < np.mean([view.flip for view in views]) < 0.55


def test_the_short_side_is_uniform(draw):
    sides = np.array([draw(epoch=epoch).height for epoch in range(4000)])
    assert sides.mean() == pytest.approx(144, abs=0.6)  # four standard errors
    ends = np.isin(sides, (128, 160)).mean()
    assert ends == pytest.approx(2 / 33, abs=0.015)


def test_the_released_code_never_starts_at_0_halves_the_ends_and_leaves_out_the_last_place(draw):
    """Starts are ceil(U(0, 74)); sides are U(128, 160) rounded; places end one before the last."""
    views = [draw(epoch=epoch, augmentation="released") for epoch in range(8000)]
    assert {view.frames[0] for view in views} == set(range(1, 90 - 16 + 1))
    sides = np.array([view.height for view in views])
    assert set(sides) == set(range(128, 161))
    assert np.isin(sides, (128, 160)).mean() == pytest.approx(1 / 32, abs=0.008)
    assert min(view.left for view in views) == min(view.top for view in views) == 0
    assert min(view.width - view.left for view in views) == min(view.height - view.top for view in views) == 113


def test_a_video_as_large_as_the_crop_has_one_place(draw, paper):
    frames, train = paper
    square = train.model_copy(update={"jitter": (112, 112), "augmentation": "released"})
    view = random_view(Size(90, 112, 112, 30.0), "v", 0, seed=1, purpose="train", frames=frames, train=square)
    assert (view.top, view.left) == (0, 0)


def test_released_scaling_cuts_the_long_side_to_whole_pixels(paper):
    """320 x 240 at a short side of 128 is 170.67 wide."""
    frames, train = paper
    for scaling, width in (("antialiased", 171), ("released", 170)):
        chosen = frames.model_copy(update={"scaling": scaling})
        view = center_view(Size(90, 320, 240, 30.0), "v", 0, frames=chosen, train=train)
        assert (view.height, view.width, view.scaling) == (128, width, scaling)


def test_a_clip_lasts_as_long_in_a_video_of_another_rate(paper):
    """16 frames at 30 fps are 13.3 at 25: the released code takes the first 12 but some."""
    frames, train = paper
    view = center_view(Size(75, 256, 192, 25.0), "v", 0, frames=frames, train=train)
    assert view.frames == [30 + place for place in (0, 1, 3, 5, 7, 8, 10, 12)]
    drawn = [
        random_view(Size(75, 256, 192, 25.0), "v", epoch, seed=1, purpose="train", frames=frames, train=train).frames
        for epoch in range(1000)
    ]
    assert {shown[0] for shown in drawn} == set(range(62))
    assert max(shown[-1] for shown in drawn) == 73


@pytest.mark.parametrize("other", [{"video_id": "w"}, {"epoch": 1}, {"seed": 2}, {"purpose": "precise_bn"}])
@pytest.mark.parametrize("augmentation", ["uniform", "released"])
def test_a_view_is_named_by_seed_purpose_epoch_and_video(draw, other, augmentation):
    assert draw(augmentation=augmentation) == draw(augmentation=augmentation)
    assert draw(augmentation=augmentation) != draw(augmentation=augmentation, **other)


def test_the_center_view_is_the_middle(paper):
    frames, train = paper
    view = center_view(STORED, "v", 7, frames=frames, train=train)
    assert view.frames == [37, 39, 41, 43, 45, 47, 49, 52]
    assert (view.height, view.width, view.top, view.left, view.flip) == (128, 171, 8, 29, False)


def test_a_short_video_stands_still_at_its_last_frame(paper):
    frames, _ = paper
    assert window(0, 9, frames) == [0, 2, 4, 6, 8, 8, 8, 8]
    assert window(0, 1, frames) == [0] * 8


def test_segments_give_a_frame_each_at_random_and_their_middles_when_validating(paper):
    frames, train = paper
    frames = frames.model_copy(update={"positions": "segments"})
    seen = [
        random_view(STORED, "v", epoch, seed=1, purpose="train", frames=frames, train=train).frames
        for epoch in range(2000)
    ]
    for number, column in enumerate(zip(*seen, strict=True)):
        low, high = number * 90 // 8, -(-(number + 1) * 90 // 8)  # a frame on the border of two is in both
        assert set(column) == set(range(low, high))
    assert center_view(STORED, "v", 0, frames=frames, train=train).frames == [5, 16, 28, 39, 50, 61, 73, 84]
    short = random_view(STORED._replace(length=3), "v", 0, seed=1, purpose="train", frames=frames, train=train)
    assert sorted(short.frames) == short.frames
    assert set(short.frames) == {0, 1, 2}
