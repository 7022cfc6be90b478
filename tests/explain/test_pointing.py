"""The pointing game by hand, and its intervals against the videos written out."""

import numpy as np
import pytest

from pipeline.dataset.sample.places import Place
from pipeline.explain.gradcam import Heat
from pipeline.explain.pointing import judge, point, scores
from pipeline.foundations.tables import tables
from pipeline.metrics import intervals

LEFT = [Place(time, 0.0, 0.0, 0.5, 1.0) for time in (0.0, 0.2, 0.4)]
RIGHT = [Place(time, 0.5, 0.25, 1.0, 1.0) for time in (0.0, 0.2, 0.4)]


def heat_at(*points: tuple[int, int] | None, ticks: tuple[int, ...] = (0, 6, 12)) -> Heat:
    """Heat on 4 x 8 pixels, one row and column of it a tick."""
    values = np.zeros((len(ticks), 4, 8))
    for frame, place in zip(values, points, strict=True):
        if place:
            frame[place] = 2.0
    return Heat(np.array(ticks), values)


def test_the_hottest_pixels_middle_in_parts_of_the_frame():
    assert point(heat_at((3, 0), ticks=(0,)).values[0]) == (0.5 / 8, 3.5 / 4)
    assert point(np.zeros((4, 8))) is None


def test_by_hand():
    found = judge(heat_at((1, 3), (1, 4), None), LEFT, [RIGHT], fps=30.0)
    assert found.times == 3
    assert found.heat == pytest.approx(1 / 3)  # columns 0 to 3 are the left half
    assert found.other_action == pytest.approx(1 / 3)
    assert found.no_heat == pytest.approx(1 / 3)
    assert found.centre == 0.0  # the middle belongs to the right half
    assert found.chance == 0.5
    assert judge(heat_at((0, 7), (1, 7), (3, 7)), RIGHT, [LEFT], fps=30.0)[1:5] == pytest.approx([2 / 3, 0, 1, 0.375])


def test_elsewhere_is_the_mean_over_the_other_actions():
    nowhere = [place._replace(left=0.9) for place in RIGHT]
    assert judge(heat_at((1, 4), (1, 4), (1, 4)), LEFT, [RIGHT, nowhere], fps=30.0).other_action == 0.5
    assert np.isnan(judge(heat_at((1, 4), (1, 4), (1, 4)), LEFT, [], fps=30.0).other_action)


def test_a_time_far_from_every_shown_frame_is_not_judged():
    found = judge(heat_at((1, 0), (1, 7), ticks=(1, 8)), LEFT, [], fps=30.0)  # places at frames 0, 6 and 12
    assert (found.times, found.heat) == (1, 1.0)
    assert found.chance == 0.5
    none = judge(heat_at((1, 0), ticks=(90,)), LEFT, [], fps=30.0)
    assert none.times == 0
    assert np.isnan(none[1:]).all()


def test_a_heat_that_knows_nothing_hits_as_often_as_chance():
    rng = np.random.default_rng(0)
    own = [Place(frame / 30, 0.25, 0.5, 0.625, 1.0) for frame in range(4000)]
    found = judge(Heat(np.arange(4000), rng.random((4000, 4, 8))), own, [], fps=30.0)
    assert found.chance == 3 / 16
    assert found.heat == pytest.approx(found.chance, abs=0.02)  # 3 standard errors


def pointing(rows: list[tuple]) -> object:
    """The table, from video, action, heat, other_action, chance."""
    made = [
        ("model", "layer4", video, action, 5, heat, other, 0.1, chance, 0.0)
        for video, action, heat, other, chance in rows
    ]
    return tables.from_rows("pointing", made)


ROWS = [("a", 0, 1.0, 0.0, 0.2), ("a", 1, 0.5, 0.5, 0.1), ("b", 0, 0.0, np.nan, 0.3), ("c", 2, 0.75, np.nan, 0.25)]


def test_means_over_pairs_by_hand():
    found = {row["row"]: row for row in scores(pointing(ROWS), bootstrap=10, seed=1).to_pylist()}
    assert found["heat"]["value"] == pytest.approx(56.25)
    assert found["chance"]["value"] == pytest.approx(21.25)
    assert found["lead_chance"]["value"] == pytest.approx(35.0)
    assert found["lead_centre"]["value"] == pytest.approx(46.25)
    assert found["lead_other_action"]["value"] == pytest.approx(50.0)  # of the two pairs that are not alone
    assert (found["heat"]["pairs"], found["other_action"]["pairs"]) == (4, 2)


def test_the_interval_is_that_of_the_drawn_videos_written_out():
    draws = intervals.draw(3, 200, seed=1).astype(int)
    heat = {"a": [100.0, 50.0], "b": [0.0], "c": [75.0]}
    over_draws = [
        np.mean([value for video, times in zip(heat, column, strict=True) for value in heat[video] * times])
        for column in draws.T
    ]
    expected = intervals.estimate(56.25, np.array(over_draws))
    row = next(row for row in scores(pointing(ROWS), bootstrap=200, seed=1).to_pylist() if row["row"] == "heat")
    assert (row["low"], row["high"]) == pytest.approx(expected[1:], abs=1e-4)


def test_models_and_layers_stand_apart():
    table = pointing(ROWS).to_pylist()
    both = table + [{**row, "model": "baseline", "heat": 0.0} for row in table]
    both += [{**row, "layer": "layer3", "heat": 1.0} for row in table]
    made = tables.from_rows("pointing", [tuple(row.values()) for row in both])
    found = scores(made, bootstrap=10, seed=1).to_pylist()
    heat = {(row["model"], row["layer"]): row["value"] for row in found if row["row"] == "heat"}
    assert heat == {("model", "layer4"): 56.25, ("baseline", "layer4"): 0.0, ("model", "layer3"): 100.0}


def test_without_places_there_is_no_score():
    assert scores(tables.empty("pointing"), bootstrap=10, seed=1).num_rows == 0


def test_a_pair_without_a_judged_time_does_not_count():
    rows = [*ROWS, ("d", 0, np.nan, np.nan, np.nan)]
    found = {row["row"]: row for row in scores(pointing(rows), bootstrap=10, seed=1).to_pylist()}
    assert (found["heat"]["value"], found["heat"]["pairs"]) == (pytest.approx(56.25), 4)
