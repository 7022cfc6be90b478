"""Calibration: of all pairs of video and action scored p, is a fraction p positive?

Guo et al. 2017, "On Calibration of Modern Neural Networks", Section 2: scores fall into M bins of equal width, the
m-th being ((m - 1) / M, m / M]. Of each bin, confidence is the mean score and accuracy the fraction that is right,
which of a single label is the fraction that has it (Naeini et al. 2015). The expected calibration error (their
Equation 3) is the mean of |accuracy - confidence| over bins, each weighted by its part of all scores.
"""

from typing import NamedTuple

import numpy as np

BINS = 15
"""As Guo et al. have it."""


class Reliability(NamedTuple):
    """What a reliability diagram shows; M bins, from the lowest scores to the highest."""

    counts: np.ndarray
    """M: how many scores."""
    confidence: np.ndarray
    """M: mean score, in [0, 1]; NaN in an empty bin."""
    accuracy: np.ndarray
    """M: fraction that is labelled so; NaN in an empty bin."""

    @property
    def error(self) -> float:
        """The expected calibration error, in percentage points."""
        filled = self.counts > 0
        gaps = np.abs(self.accuracy - self.confidence)[filled]
        return 100.0 * float((gaps * self.counts[filled]).sum() / self.counts.sum())


def reliability(scores: np.ndarray, targets: np.ndarray, *, bins: int = BINS) -> Reliability:
    """Sort scores into bins, and compare each bin's mean score with its fraction of positives.

    Args:
        scores: of any shape, in [0, 1].
        targets: booleans of that shape.
        bins: M.
    """
    flat, labels = scores.ravel().astype(np.float64), targets.ravel()
    place = np.clip(np.ceil(flat * bins).astype(np.int64) - 1, 0, bins - 1)  # a score of 0 falls into the first
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence, accuracy = (np.bincount(place, values, bins) / counts for values in (flat, labels))
    return Reliability(counts, confidence, accuracy)
