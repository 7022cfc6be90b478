"""Precision and recall of one action by threshold."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import precision_recall_curve


class Curve(NamedTuple):
    """Precision and recall where every video scored at least a threshold is called positive; K rising thresholds."""

    thresholds: np.ndarray
    """K: the different scores."""
    precision: np.ndarray
    """K, in [0, 1]."""
    recall: np.ndarray
    """K, in [0, 1], falling."""


class Choice(NamedTuple):
    """A threshold with its precision and recall."""

    threshold: float
    precision: float
    recall: float


def curve(scores_B: np.ndarray, targets_B: np.ndarray) -> Curve:
    """The curve of an action that some video has, by scikit-learn; without its last point, which no threshold has."""
    precision, recall, thresholds = precision_recall_curve(targets_B, scores_B)
    return Curve(thresholds, precision[:-1], recall[:-1])


def threshold_for(wanted: float, found: Curve) -> Choice | None:
    """The threshold of the largest recall with at least a precision; None where no threshold reaches it.

    It is optimistic where it is chosen on the videos that it is reported for.
    """
    enough = np.flatnonzero(found.precision >= wanted)
    if not len(enough):
        return None
    best = enough[0]
    return Choice(*(float(values[best]) for values in found))
