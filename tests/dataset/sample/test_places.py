"""The sample's places: read back as they were drawn."""

import pytest

from pipeline.dataset.sample.layout import PLACES, plan_tracks, write_places
from pipeline.dataset.sample.places import Place, read_places
from pipeline.dataset.sample.plan import draw_plans
from pipeline.dataset.sample.scenes import FPS
from pipeline.foundations.runtime.errors import PlainError


@pytest.fixture
def render(params):
    changes = {"train": 2, "validation": 1, "test": 1, "truncated": 0}
    return params.render.model_copy(update=changes)


def test_places_come_back_as_they_were_drawn(render, tmp_path):
    plans = draw_plans(render)
    write_places(tmp_path, plans, render)
    found = read_places(tmp_path, render)
    assert list(found) == [plan.path for plan in plans if plan.shown]
    for plan in (plan for plan in plans if plan.shown):
        assert list(found[plan.path]) == list(plan.shown)
        for track in plan_tracks(plan, render):
            places = found[plan.path][track.action]
            assert [round(place.seconds * FPS) for place in places] == list(range(0, 45, 3))
            for place in places:
                drawn = track.places[round(place.seconds * FPS)]
                assert place.left * render.width == pytest.approx(drawn.x)
                assert place.top * render.height == pytest.approx(drawn.y)
                assert place.area * render.width * render.height == pytest.approx(drawn.side**2)


def test_a_square_holds_its_middle_and_not_what_is_beside_it():
    place = Place(0.0, 0.2, 0.4, 0.5, 0.6)
    assert place.area == pytest.approx(0.06)
    assert place.holds(0.35, 0.5)
    assert not any(place.holds(x, y) for x, y in ((0.19, 0.5), (0.5, 0.5), (0.35, 0.39), (0.35, 0.6)))


@pytest.mark.parametrize("content", [None, "video,action\na,b\n", "video,action,frame,x,y,width,height\na,b,0,1,2,3\n",
                                     "video,action,frame,x,y,width,height\na,b,0,1,two,3,3\n"])  # fmt: skip
def test_a_file_that_is_none_is_named(render, tmp_path, content):
    if content is not None:
        (tmp_path / PLACES).write_text(content)
    with pytest.raises(PlainError, match=r"places.csv: not the places of the sample's actions: .*dvc repro render"):
        read_places(tmp_path, render)
