"""Chance in closed form against every order written out, and against simulation; frequency by hand."""

from itertools import permutations

import numpy as np
import pytest

from pipeline.evaluate.metrics import METRICS, map_sample, top1
from pipeline.evaluate.references import chance, expected_hit, expected_precision, frequency


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
    assert set(chance(np.ones((3, 4), dtype=bool)).values()) == {100.0}


def test_frequency_ranks_by_the_training_videos_alone():
    training = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=bool)
    scores = frequency(training, videos=2)
    np.testing.assert_array_equal(scores, [[0.75, 0.5, 0.25]] * 2)
    targets = np.array([[1, 0, 1], [0, 1, 0]], dtype=bool)
    assert top1(scores, targets) == 50.0
    assert map_sample(scores, targets) == pytest.approx(100 * np.mean([(1 + 2 / 3) / 2, 1 / 2]))
