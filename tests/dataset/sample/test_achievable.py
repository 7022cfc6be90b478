"""The best achievable ranking: the enumeration against cases by hand, the metrics of this project, and simulation."""

from math import prod

import numpy as np
import pytest

from pipeline.dataset.sample.achievable import achievable, label_sets, rankers
from pipeline.dataset.sample.cooccurrence import ACTIONS, GROUPS, draw_actions
from pipeline.dataset.sample.plan import draw_plans
from pipeline.foundations.tables.seeds import generator
from pipeline.metrics.metrics import METRICS

NUMBER = {action: index for index, action in enumerate(ACTIONS)}


def test_the_label_sets_are_all_there_can_be():
    sets = label_sets()
    assert len(sets) == 1257
    assert sum(sets.values()) == pytest.approx(1.0, abs=1e-12)
    rng = generator(7, "many")
    drawn = [frozenset(NUMBER[action] for action in draw_actions(rng)) for _ in range(20_000)]
    assert set(drawn) <= set(sets)
    for labels in sorted(sets, key=sets.__getitem__)[-20:]:
        spread = (sets[labels] * (1 - sets[labels]) / 20_000) ** 0.5
        assert drawn.count(labels) / 20_000 == pytest.approx(sets[labels], abs=5 * spread)


def test_a_label_sets_probability_by_hand():
    """A singer alone: leads 5 of the concert's 25 parts of 100, without companions and without a stranger."""
    weights = [lead.weight for lead in GROUPS["concert"].leads.values()]
    alone = prod(1 - percent / 100 for percent in GROUPS["concert"].leads["singing"].companions.values())
    expected = 25 / 100 * 5 / sum(weights) * alone * 0.92
    assert label_sets()[frozenset([NUMBER["singing"]])] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("ranker", ["bayes", "independent"])
def test_with_nothing_hidden_sight_tells_all(ranker):
    assert achievable(0.0)[ranker] == pytest.approx(dict.fromkeys(METRICS, 100.0))


def test_with_all_hidden_the_commonest_comes_first():
    """Nobody sees anything: both rankers know what is common, and an action's ranking of videos is one step."""
    found, sets = achievable(1.0), label_sets()
    frequency = np.zeros(len(ACTIONS))
    for labels, chance in sets.items():
        frequency[list(labels)] += chance
    assert found["bayes"] == pytest.approx(found["independent"])
    assert found["bayes"]["map_action"] == pytest.approx(100 * frequency.mean())
    assert found["bayes"]["top1"] == pytest.approx(100 * frequency.max())


def test_bayes_knows_what_a_shown_action_says_of_others():
    """Only typing is shown: of all others telephoning is by far the likeliest, as counted over the label sets."""
    h, scores = 0.35, rankers(0.35)
    typing, telephoning = NUMBER["typing"], NUMBER["telephoning"]
    weights = {s: p * (1 - h) * h ** (len(s) - 1) for s, p in label_sets().items() if typing in s}
    expected = sum(w for s, w in weights.items() if telephoning in s) / sum(weights.values())
    row = scores.bayes[scores.shown[frozenset([typing])]]
    assert row[telephoning] == pytest.approx(expected)
    assert list(np.argsort(-row)[:2]) == [typing, telephoning]
    assert scores.independent[scores.shown[frozenset([typing])], telephoning] < expected / 2


def test_relations_add_more_the_more_is_hidden_and_never_take_away():
    gains = []
    for hidden in (0.1, 0.2, 0.35):
        found = achievable(hidden)
        assert all(found["bayes"][name] >= found["independent"][name] for name in METRICS)
        gains.append(found["bayes"]["map_sample"] - found["independent"]["map_sample"])
    assert gains == sorted(gains)
    assert gains[-1] > 6.5  # more than the interval of the sample's 120 test videos


def _simulated(render, videos):
    """Scores of both rankers on videos that the sample's own plan draws, and their labels."""
    plans = draw_plans(render.model_copy(update={"train": videos, "validation": 1, "test": 1, "hidden": 0.35}))[:videos]
    scores = rankers(0.35)
    rows = [scores.shown[frozenset(NUMBER[action] for action in plan.shown)] for plan in plans]
    targets = np.array([[action in plan.actions for action in ACTIONS] for plan in plans])
    return {"bayes": scores.bayes[rows], "independent": scores.independent[rows]}, targets


def _agree(render, videos, within):
    scores, targets = _simulated(render, videos)
    for ranker, scores_BN in scores.items():
        for name, metric in METRICS.items():
            assert metric(scores_BN, targets) == pytest.approx(achievable(0.35)[ranker][name], abs=within), name


def test_a_simulation_of_the_samples_own_draws_agrees(render):
    _agree(render, 1000, within=4.0)


@pytest.mark.soak  # a hundred thousand videos: a minute or two
def test_a_simulation_of_a_hundred_thousand_videos_agrees(render):
    _agree(render, 100_000, within=0.5)
