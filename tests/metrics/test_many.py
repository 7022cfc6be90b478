import numpy as np

from pipeline.metrics import metrics


def test_many_videos_at_once_have_scikit_learns_precisions(monkeypatch):
    """To rounding: sums are taken in another order. Equal scores are among them."""
    random = np.random.default_rng(0)
    scores, targets = random.integers(0, 12, (50, 9)) / 11, random.random((50, 9)) < 0.3
    targets[np.arange(50), random.integers(0, 9, 50)] = True
    one_by_one = metrics.video_precisions(scores, targets)
    monkeypatch.setattr(metrics, "MANY", 7)
    np.testing.assert_allclose(metrics.video_precisions(scores, targets), one_by_one, rtol=1e-12)
