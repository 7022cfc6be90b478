"""Precision, recall and thresholds, by hand."""

import numpy as np
import pytest

from pipeline.metrics.retrieval import Choice, curve, threshold_for

SCORES = np.array([0.9, 0.8, 0.7, 0.7, 0.2])
TARGETS = np.array([True, False, True, True, False])


def test_the_curve_by_hand():
    found = curve(SCORES, TARGETS)
    assert found.thresholds.tolist() == [0.2, 0.7, 0.8, 0.9]
    assert found.precision == pytest.approx([0.6, 0.75, 0.5, 1.0])
    assert found.recall == pytest.approx([1.0, 1.0, 1 / 3, 1 / 3])


@pytest.mark.parametrize(
    ("wanted", "choice"),
    [(0.5, Choice(0.2, 0.6, 1.0)), (0.7, Choice(0.7, 0.75, 1.0)), (0.9, Choice(0.9, 1.0, 1 / 3))],
)
def test_of_the_thresholds_that_reach_a_precision_it_is_the_one_of_most_recall(wanted, choice):
    assert threshold_for(wanted, curve(SCORES, TARGETS)) == pytest.approx(choice)


def test_a_precision_that_nothing_reaches_has_no_threshold():
    assert threshold_for(0.9, curve(np.array([0.9, 0.1]), np.array([False, True]))) is None
