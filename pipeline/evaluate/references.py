"""What a model is held against: rankings that never see a video.

Chance is an expectation in closed form, over all orders of the ranked items being equally likely; nothing is
drawn. Shapes: B videos, N actions.
"""

import math

import numpy as np
from scipy.special import digamma

from pipeline.evaluate.metrics import METRICS


def frequency(training_actions: np.ndarray, videos: int) -> np.ndarray:
    """The same scores for every video (B x N): each action's part of the training videos.

    Args:
        training_actions: the training videos' actions, rows x N, boolean.
        videos: B, how many videos are scored.
    """
    return np.tile(training_actions.mean(axis=0), (videos, 1))


def chance(targets_BN: np.ndarray) -> dict[str, float]:
    """What a random ranking reaches on average, in percent, under each metric's name."""
    videos, actions = targets_BN.shape
    evaluated = targets_BN[:, targets_BN.any(axis=0)]
    own = targets_BN.sum(axis=1)
    reached: dict[str, float] = {
        "map_sample": float(np.mean([expected_precision(int(k), evaluated.shape[1]) for k in own])),
        "map_action": float(np.mean([expected_precision(int(k), videos) for k in evaluated.sum(axis=0)])),
        "map_micro": expected_precision(int(own.sum()), videos * actions),
        "top1": float(np.mean([expected_hit(int(k), actions, best=1) for k in own])),
        "top5": float(np.mean([expected_hit(int(k), actions, best=5) for k in own])),
    }
    return {name: 100.0 * reached[name] for name in METRICS}


def expected_precision(positives: int, items: int) -> float:
    """Expected average precision of a random order of `items`, of which `positives` count.

    A positive at rank i is followed upwards by i - 1 of the others, each of which is a positive with probability
    (k - 1) / (n - 1); summed over ranks, (1 / n) (H_n + (k - 1) / (n - 1) (n - H_n)), H_n the harmonic number.
    """
    if items == 1:
        return 1.0
    harmonic = float(digamma(items + 1) + np.euler_gamma)
    return (harmonic + (positives - 1) / (items - 1) * (items - harmonic)) / items


def expected_hit(positives: int, items: int, *, best: int) -> float:
    """Probability that a random order has one of `positives` among its `best` first (hypergeometric)."""
    if best >= items:
        return 1.0
    return 1.0 - math.comb(items - positives, best) / math.comb(items, best)
