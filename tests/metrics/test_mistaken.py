"""What is mistaken for what, by hand and against scikit-learn's ranking loss."""

import numpy as np
import pytest
from sklearn.metrics import label_ranking_loss

from pipeline.metrics.mistaken import mistaken_for


def test_by_hand():
    targets = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1]], bool)
    scores = np.array([[0.2, 0.9, 0.1], [0.1, 0.9, 0.8], [0.5, 0.5, 0.6], [0.3, 0.2, 0.1]])
    found = mistaken_for(scores, targets)
    assert found.videos.tolist() == [[0, 2, 3], [0, 0, 1], [1, 1, 0]]
    # singing (0) loses to 1 in the first video, ties in the third; the second has both, which is no mistake
    assert found.fraction[0, 1] == pytest.approx(0.75)
    assert found.fraction[0, 2] == pytest.approx(2 / 3)
    assert found.fraction[1, 2] == 0.0
    assert found.fraction[2].tolist()[:2] == [1.0, 1.0]
    assert np.isnan([found.fraction[0, 0], found.fraction[1, 0]]).all()


def test_over_a_videos_own_pairs_it_is_the_ranking_loss():
    rng = np.random.default_rng(7)
    scores, targets = rng.random((40, 9)), rng.random((40, 9)) < 0.3
    targets[np.arange(40), rng.integers(9, size=40)] = True
    losses = []
    for video in range(40):
        one = mistaken_for(scores[[video]], targets[[video]])
        losses.append(np.nansum(one.fraction) / one.videos.sum())
    assert np.mean(losses) == pytest.approx(label_ranking_loss(targets, scores))
