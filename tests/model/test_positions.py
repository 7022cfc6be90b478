import numpy as np
import pytest

from pipeline.model.positions import counted_at, positions


@pytest.mark.parametrize(
    ("kind", "span", "count", "expected"),
    [
        ("linspace", 16, 8, [0, 2, 4, 6, 8, 10, 12, 15]),  # the released code's, DESIGN.md
        ("stride", 16, 8, [0, 2, 4, 6, 8, 10, 12, 14]),
        ("linspace", 16, 1, [0]),
        ("stride", 5, 2, [0, 2]),
        ("stride", 4, 4, [0, 1, 2, 3]),
        ("linspace", 4, 4, [0, 1, 2, 3]),
    ],
)
def test_positions(params, kind, span, count, expected):
    frames = params.frames.model_copy(update={"positions": kind, "span": span, "count": count})
    assert positions(frames).tolist() == expected


def test_clips_of_segments_have_no_positions_within_a_span(params):
    with pytest.raises(ValueError, match="no positions within a span"):
        positions(params.frames.model_copy(update={"positions": "segments"}))


@pytest.mark.parametrize("kind", ["linspace", "stride"])
def test_positions_rise_and_stay_within_the_span(params, kind):
    for span in range(1, 40):
        for count in range(1, span + 1):
            found = positions(params.frames.model_copy(update={"positions": kind, "span": span, "count": count}))
            assert len(found) == count
            assert found[0] == 0
            assert found[-1] < span
            assert (np.diff(found) > 0).all()


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (30.0, [0, 2, 4, 6, 8, 10, 12, 15]),
        (25.0, [0, 1, 3, 5, 7, 8, 10, 12]),  # linspace(0, 12.33, 8)
        (60.0, [0, 4, 8, 13, 17, 22, 26, 31]),
        (10.0, [0, 0, 1, 1, 2, 3, 3, 4]),
        (1.0, [0] * 8),
    ],
)
def test_a_clip_lasts_as_long_at_any_rate(params, fps, expected):
    frames = params.frames.model_copy(update={"positions": "linspace", "span": 16, "count": 8, "fps": 30.0})
    counted = counted_at(frames, fps)
    assert positions(counted).tolist() == expected
    assert counted.span / counted.fps == pytest.approx(16 / 30)


def test_on_the_constant_time_line_nothing_is_counted_anew(params):
    assert counted_at(params.frames, params.frames.fps) == params.frames
