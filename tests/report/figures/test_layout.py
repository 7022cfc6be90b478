"""The layered drawing: everything flows down, nothing overlaps, the arrows are those that matter."""

import pytest

from pipeline.report.dag import Stage
from pipeline.report.figures.layout import COLUMN, HEIGHT, ROW, WIDTH, draw


def stage(name: str, *needs: str) -> Stage:
    return Stage(name, name, tuple(f"out/{need}" for need in needs), (f"out/{name}",))


DIAMOND = [stage("top"), stage("left", "top"), stage("right", "top"), stage("foot", "left", "right", "top")]
LONG = [stage("a"), stage("b", "a"), stage("c", "b"), stage("d", "c", "a"), stage("e", "a"), stage("f", "d", "e")]


@pytest.fixture(params=["diamond", "long", "committed"])
def drawing(request, stages):
    return draw({"diamond": DIAMOND, "long": LONG, "committed": stages}[request.param])


def places(drawing):
    return {box.stage.name: (box.x, box.y) for box in drawing.boxes}


def test_every_arrow_points_down(drawing):
    for arrow in drawing.arrows:
        heights = [y for _, y in arrow]
        assert heights == sorted(set(heights))


def test_no_two_boxes_touch(drawing):
    boxes = list(drawing.boxes)
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            assert abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT


def test_everything_lies_within_the_drawing(drawing):
    for box in drawing.boxes:
        assert WIDTH / 2 - 1e-6 <= box.x <= drawing.width - WIDTH / 2 + 1e-6
        assert HEIGHT / 2 <= box.y <= drawing.height - HEIGHT / 2


def test_arrows_start_and_end_at_their_boxes(drawing):
    centres = set(places(drawing).values())
    for arrow in drawing.arrows:
        assert {arrow[0], arrow[-1]} <= centres
        assert not set(arrow[1:-1]) & centres


def test_an_arrow_that_a_longer_way_implies_is_left_out():
    drawn = draw(DIAMOND)
    at = {place: name for name, place in places(drawn).items()}
    pairs = {(at[arrow[0]], at[arrow[-1]]) for arrow in drawn.arrows}
    assert pairs == {("top", "left"), ("top", "right"), ("left", "foot"), ("right", "foot")}


def test_a_stage_stands_as_low_as_what_needs_it_allows():
    row = {name: round((y - HEIGHT / 2) / ROW) for name, (_, y) in places(draw(LONG)).items()}
    assert row == {"a": 0, "b": 1, "c": 2, "d": 3, "e": 3, "f": 4}


def test_a_long_arrow_bends_once_a_row():
    drawn = draw(LONG)
    a, e = places(drawn)["a"], places(drawn)["e"]
    (way,) = [arrow for arrow in drawn.arrows if (arrow[0], arrow[-1]) == (a, e)]
    assert len(way) == 4


def test_a_symmetric_graph_is_drawn_symmetrically():
    at = places(draw(DIAMOND))
    assert at["top"][0] == at["foot"][0] == pytest.approx((at["left"][0] + at["right"][0]) / 2)
    assert at["right"][0] - at["left"][0] == COLUMN


def test_the_same_stages_are_drawn_the_same(stages):
    assert draw(stages) == draw(stages)
