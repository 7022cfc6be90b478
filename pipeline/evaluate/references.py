"""Reference rankings that never see a video: by training frequency, and random.

Expectations are in closed form, over all orders of the ranked items being equally likely. Shapes: B videos, N
actions, R draws.
"""

import math

import numpy as np
from scipy.special import digamma

from pipeline.foundations.tables.seeds import generator
from pipeline.metrics import intervals
from pipeline.metrics.intervals import Measured
from pipeline.metrics.metrics import METRICS


def frequency(trained_N: np.ndarray, targets_BN: np.ndarray, draws_BR: np.ndarray, *, seed: int) -> Measured:
    """Ranking by training frequency: the commonest action first, for every video; equals in any order.

    Ties counted as one step would penalize the ranking, so that random scores would seem better. So equally common
    actions are in random order for each video. The ranking says nothing about videos, so `map_action` is the average
    over all orders.

    Args:
        trained_N: how many training videos have each action.
        targets_BN: of the scored videos.
        draws_BR: of the scored videos.
        seed: of the order of equals.
    """
    less_than_one_video_BN = generator(seed, "frequency").random(targets_BN.shape)
    scores_BN = trained_N + less_than_one_video_BN
    measured = intervals.measure(scores_BN, targets_BN, draws_BR)
    over_draws_R = [_by_any_order(positives_N, len(targets_BN)) for positives_N in (targets_BN.T @ draws_BR).T]
    return Measured(
        measured.values | {"map_action": _by_any_order(targets_BN.sum(axis=0), len(targets_BN))},
        measured.over_draws | {"map_action": np.array(over_draws_R)},
        len(targets_BN),
    )


def _by_any_order(positives_N: np.ndarray, videos: int) -> float:
    """`map_action` of a random order of the videos, on average, in percent."""
    return float(100.0 * expected_precision(positives_N[positives_N > 0], videos).mean())


def chance(targets_BN: np.ndarray) -> dict[str, float]:
    """What a random ranking reaches on average, in percent, under each metric's name."""
    videos, actions = targets_BN.shape
    evaluated = targets_BN[:, targets_BN.any(axis=0)]
    own = targets_BN.sum(axis=1)
    reached: dict[str, float] = {
        "map_sample": float(expected_precision(own, evaluated.shape[1]).mean()),
        "map_action": _by_any_order(targets_BN.sum(axis=0), videos) / 100.0,
        "map_micro": float(expected_precision(own.sum(), videos * actions)),
        "top1": float(np.mean([expected_hit(int(k), actions, best=1) for k in own])),
        "top5": float(np.mean([expected_hit(int(k), actions, best=5) for k in own])),
    }
    return {name: 100.0 * reached[name] for name in METRICS}


def expected_precision(positives: np.ndarray, items: int) -> np.ndarray:
    """Expected average precision of a random order of `items`, for each number of them that count, 1 or more.

    A positive at rank i is followed upwards by i - 1 of the others, each of which is a positive with probability
    (k - 1) / (n - 1); summed over ranks, (1 / n) (H_n + (k - 1) / (n - 1) (n - H_n)), H_n the harmonic number.
    """
    harmonic = float(digamma(items + 1) + np.euler_gamma)
    return (harmonic + (positives - 1) / max(items - 1, 1) * (items - harmonic)) / items


def expected_hit(positives: int, items: int, *, best: int) -> float:
    """Probability that a random order has one of `positives` among its `best` first (hypergeometric)."""
    if best >= items:
        return 1.0
    return 1.0 - math.comb(items - positives, best) / math.comb(items, best)
