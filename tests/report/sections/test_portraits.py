"""An action by itself, against a ranking made by hand."""

import numpy as np
import pytest

from pipeline.foundations.params import load_params
from pipeline.foundations.tables import tables
from pipeline.report.sections.learnt import related
from pipeline.report.sections.portraits import overall, portraits

SCORES = np.float32([
    [0.2, 0.1, 0.5, 0.3, 0.9, 0.1],  # x0: applauding, singing
    [0.6, 0.8, 0.1, 0.2, 0.1, 0.7],  # x1: diving, swimming
    [0.1, 0.9, 0.1, 0.4, 0.3, 0.2],  # x3: playing music
])  # fmt: skip


@pytest.fixture(scope="module")
def made(run_tables, finished):
    columns = run_tables.predictions.to_pydict() | {"scores": SCORES}
    changed = type(run_tables)(**vars(run_tables) | {"predictions": tables.from_columns("predictions", columns)})
    values = load_params(finished / "params.yaml").model_dump(mode="json")
    return changed, {one.action: one for one in portraits(changed, values, related(changed)[1])}


def test_hits_misses_and_false_alarms_are_by_score(made):
    diving = made[1]["diving"]
    assert [take.video_id for take in diving.hits] == ["x1"]
    assert [take.video_id for take in diving.alarms] == ["x3", "x0"]
    assert diving.misses == []  # its only video is a hit already
    assert diving.hits[0].score == pytest.approx(80)


def test_an_action_is_mistaken_for_what_stands_above_it(made):
    applauding = made[1]["applauding"]
    assert {one.action: one.percent for one in applauding.taken} == {"hitting/colliding": 100.0, "playing+music": 100.0}
    assert made[1]["swimming"].taken == []


def test_thresholds_and_curve_are_those_of_the_ranking(made):
    diving = made[1]["diving"]
    assert diving.curve == [(100.0, 50.0), (100.0, pytest.approx(100 / 3))] or diving.curve[-1][0] == 100.0
    half, most, nine = (choice for _, choice in diving.thresholds)
    assert half.threshold == pytest.approx(0.8)
    assert (half.precision, half.recall) == (0.5, 1.0)
    assert most is nine is None


def test_an_action_without_a_scored_video_has_its_sounds_all_the_same(made):
    colliding = made[1]["hitting/colliding"]
    assert (colliding.positives, colliding.hits, colliding.curve, colliding.thresholds) == (0, [], [], [])
    assert [take.video_id for take in made[1]["playing+music"].forms] == ["t0"]
    assert made[1]["applauding"].all_forms == 2


def test_all_scores_are_judged_together(made):
    found = overall(made[0])
    assert found.counts.sum() == SCORES.size
