import numpy as np
import pytest

from pipeline.train.views import Size, center_view, random_view, window

STORED = Size(length=90, width=213, height=160)


@pytest.fixture
def paper(params):
    """The paper's clips: 8 frames of 16, 112 of a short side between 128 and 160."""
    frames = params.frames.model_copy(update={"span": 16, "count": 8, "positions": "linspace"})
    return frames, params.train.model_copy(update={"jitter": (128, 160), "crop": 112, "flip": 0.5})


@pytest.fixture
def draw(paper):
    frames, train = paper

    def view(video_id="v", epoch=0, *, size=STORED, seed=1, purpose="train"):
        return random_view(size, video_id, epoch, seed=seed, purpose=purpose, frames=frames, train=train)

    return view


def test_a_view_lies_within_the_video(draw):
    for size in (STORED, Size(16, 160, 160), Size(20, 160, 400), Size(3, 161, 160)):
        for epoch in range(200):
            view = draw(epoch=epoch, size=size)
            assert 0 <= view.left <= size.width - view.side
            assert 0 <= view.top <= size.height - view.side
            assert all(0 <= frame < size.length for frame in view.frames)
            assert len(view.frames) == 8


def test_all_windows_scales_and_places_are_drawn(draw):
    views = [draw(epoch=epoch) for epoch in range(4000)]
    assert {view.frames[0] for view in views} == set(range(90 - 16 + 1))
    # 112 pixels at a short side of 128 are 140 of the stored frame's; at 160 they are 112
    assert {view.side for view in views} == set(range(112, 141))
    assert min(view.left for view in views) == min(view.top for view in views) == 0
    assert max(view.left + view.side for view in views) == 213
    assert max(view.top + view.side for view in views) == 160
    assert 0.45 < np.mean([view.flip for view in views]) < 0.55


def test_the_short_side_is_uniform(draw):
    sides = np.array([draw(epoch=epoch).side for epoch in range(4000)])
    expected = np.mean([round(112 / short * 160) for short in range(128, 161)])
    assert sides.mean() == pytest.approx(expected, abs=0.5)  # four standard errors


@pytest.mark.parametrize("other", [{"video_id": "w"}, {"epoch": 1}, {"seed": 2}, {"purpose": "precise_bn"}])
def test_a_view_is_named_by_seed_purpose_epoch_and_video(draw, other):
    assert draw() == draw()
    assert draw() != draw(**other)


def test_the_center_view_is_the_middle(paper):
    frames, train = paper
    view = center_view(STORED, "v", 7, frames=frames, train=train)
    assert view.frames == [37, 39, 41, 43, 45, 47, 49, 52]
    assert (view.left, view.top, view.side, view.flip) == (36, 10, 140, False)


def test_a_short_video_stands_still_at_its_last_frame(paper):
    frames, _ = paper
    assert window(0, 9, frames) == [0, 2, 4, 6, 8, 8, 8, 8]
    assert window(0, 1, frames) == [0] * 8
