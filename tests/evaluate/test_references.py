"""Chance in closed form against every order written out, and against simulation; frequency by hand."""

from itertools import permutations

import numpy as np
import pytest

from pipeline.evaluate.references import chance, expected_hit, expected_precision, frequency
from pipeline.metrics.intervals import draw, resampled
from pipeline.metrics.metrics import METRICS


def precision(order: tuple[int, ...]) -> float:
    """Average precision of one order of ones and zeros."""
    positives = [rank for rank, relevant in enumerate(order, start=1) if relevant]
    return float(np.mean([found / rank for found, rank in enumerate(positives, start=1)]))


@pytest.mark.parametrize("items", [1, 2, 3, 5, 7])
def test_expected_precision_is_the_mean_over_all_orders(items):
    for positives in range(1, items + 1):
        orders = set(permutations([1] * positives + [0] * (items - positives)))
        assert expected_precision(positives, items) == pytest.approx(np.mean([precision(o) for o in orders]))


@pytest.mark.parametrize("items", [1, 4, 7])
@pytest.mark.parametrize("best", [1, 5])
def test_expected_hit_is_the_mean_over_all_orders(items, best):
    for positives in range(1, items + 1):
        orders = set(permutations([1] * positives + [0] * (items - positives)))
        assert expected_hit(positives, items, best=best) == pytest.approx(np.mean([any(o[:best]) for o in orders]))


def test_chance_is_what_random_scores_reach_on_average():
    rng = np.random.default_rng(0)
    targets = rng.random((12, 9)) < 0.15
    targets[:, 0] |= ~targets.any(axis=1)
    targets[:, 5] = False
    targets[:, 0] |= ~targets.any(axis=1)
    runs = [[metric(rng.random(targets.shape), targets) for metric in METRICS.values()] for _ in range(80)]
    means, errors = np.mean(runs, axis=0), np.std(runs, axis=0) / np.sqrt(len(runs))
    for expected, mean, error in zip(chance(targets).values(), means, errors, strict=True):
        assert abs(expected - mean) < 4 * error


def test_chance_is_named_and_ordered_as_the_metrics():
    assert list(chance(np.eye(6, dtype=bool))) == list(METRICS)


def test_chance_is_certain_where_every_action_is_right():
    certain = chance(np.ones((3, 4), dtype=bool))
    assert list(certain.values()) == pytest.approx([100.0] * 5)  # the last bit is that of SciPy's digamma function


@pytest.fixture
def frequent():
    """Training videos of each action, scored videos and draws; the second and third action are equally frequent."""
    training = np.array([4, 2, 2])
    targets = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 1], [0, 1, 1]], dtype=bool)
    return training, targets, draw(4, 60, seed=0)


def test_frequency_ranks_the_commonest_first(frequent):
    _, targets, draws = frequent
    counts = np.array([[1, 0, 0], [1, 0, 1], [1, 0, 1]], dtype=bool)  # 3, 0 and 2: no two alike
    found = frequency(counts.sum(axis=0), targets, draws, seed=0)
    # 0, 2, 1 for every video: the video's own first two, its third, its second, its second and third
    assert found.values["map_sample"] == pytest.approx(100 * np.mean([1, 1 / 3, 1 / 2, (1 / 2 + 2 / 3) / 2]))
    assert found.values["top1"] == 25.0
    scores = np.tile([3.0, 1.0, 2.0], (4, 1))
    for name in ("map_sample", "top1", "top5"):
        assert found.values[name] == METRICS[name](scores, targets)
        np.testing.assert_array_equal(found.over_draws[name], resampled(scores, targets, draws)[name])


def test_equally_common_actions_stand_in_any_order():
    """Two actions as common as each other: on average over videos, a video's own is first in half of them."""
    targets = np.tile(np.eye(2, dtype=bool), (200, 1))
    found = frequency(np.ones(2, np.int64), targets, np.ones((400, 1)), seed=0)
    assert found.values["top1"] == pytest.approx(50, abs=8)  # three standard errors
    assert found.values["map_sample"] == pytest.approx(50 + found.values["top1"] / 2)


def test_the_order_of_equals_is_from_the_seed(frequent):
    _, targets, draws = frequent
    one, same, other = (frequency(np.full(3, 5), targets, draws, seed=seed) for seed in (1, 1, 2))
    assert one.values == same.values != other.values


def test_frequency_orders_an_actions_videos_by_chance(frequent):
    _, targets, draws = frequent
    found = frequency(*frequent, seed=0)
    assert found.values["map_action"] == pytest.approx(chance(targets)["map_action"])
    for times, value in zip(draws.T, found.over_draws["map_action"], strict=True):
        drawn = targets[np.repeat(np.arange(4), times.astype(int))]
        assert value == pytest.approx(chance(drawn)["map_action"])


def test_random_scores_do_not_lead_the_frequency_ranking_by_action():
    """Held against all videos at once, as one step of equal scores, they would: the reason for the expectation."""
    rng = np.random.default_rng(0)
    targets, training = rng.random((60, 12)) < 0.08, rng.random((200, 12)) < 0.1
    targets[:, 0] |= ~targets.any(axis=1)
    once = np.ones((60, 1))
    reference = frequency(training.sum(axis=0), targets, once, seed=0).values["map_action"]
    reached = np.mean([METRICS["map_action"](rng.random(targets.shape), targets) for _ in range(60)])
    assert reached == pytest.approx(reference, abs=0.5)
    assert reached > METRICS["map_action"](np.ones(targets.shape), targets) + 2
