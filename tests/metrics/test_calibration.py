"""Reliability by hand, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from pipeline.metrics.calibration import BINS, reliability


def test_by_hand():
    scores = np.array([0.0, 0.1, 0.3, 0.5, 0.5, 0.9, 1.0])
    targets = np.array([False, True, False, True, False, True, True])
    found = reliability(scores, targets, bins=2)
    assert found.counts.tolist() == [5, 2]  # 0.5 is the first bin's upper edge, which belongs to it
    assert found.confidence == pytest.approx([0.28, 0.95])
    assert found.accuracy == pytest.approx([0.4, 1.0])
    assert found.error == pytest.approx(100 * (5 * 0.12 + 2 * 0.05) / 7)


def test_what_is_always_right_at_its_own_rate_has_no_error():
    targets = np.tile([True, False, False, False], 25)
    assert reliability(np.full(100, 0.25), targets).error == 0.0
    assert reliability(np.full(100, 0.75), targets).error == 50.0


def test_the_bins_are_those_of_scikit_learn():
    rng = np.random.default_rng(3)
    scores = rng.random((200, 12))
    targets = rng.random((200, 12)) < scores**2
    found = reliability(scores, targets)
    accuracy, confidence = calibration_curve(targets.ravel(), scores.ravel(), n_bins=BINS)
    np.testing.assert_allclose(found.accuracy, accuracy, atol=1e-12)
    np.testing.assert_allclose(found.confidence, confidence, atol=1e-12)
    assert found.counts.sum() == scores.size


def test_an_empty_bin_is_unknown_and_weighs_nothing():
    found = reliability(np.array([0.05, 0.95]), np.array([False, True]), bins=3)
    assert found.counts.tolist() == [1, 0, 1]
    assert np.isnan(found.accuracy[1])
    assert found.error == pytest.approx(5.0)
