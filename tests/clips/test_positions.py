import numpy as np
import pytest

from pipeline.clips.positions import positions


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


@pytest.mark.parametrize("kind", ["linspace", "stride"])
def test_positions_rise_and_stay_within_the_span(params, kind):
    for span in range(1, 40):
        for count in range(1, span + 1):
            found = positions(params.frames.model_copy(update={"positions": kind, "span": span, "count": count}))
            assert len(found) == count
            assert found[0] == 0
            assert found[-1] < span
            assert (np.diff(found) > 0).all()
