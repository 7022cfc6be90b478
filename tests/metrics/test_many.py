import numpy as np

from pipeline.metrics import metrics


def test_many_videos_at_once_have_scikit_learns_precisions(monkeypatch):
    """To rounding: sums are taken in another order. Equal scores are among them."""
    random = np.random.default_rng(0)
    scores, targets = random.integers(0, 12, (50, 9)) / 11, random.random((50, 9)) < 0.3
    targets[np.arange(50), random.integers(5, 9, 50)] = True
    targets[:, 4] = False
    judges = metrics.video_precisions, metrics.action_precisions
    one_by_one = [judge(scores, targets) for judge in judges]
    monkeypatch.setattr(metrics, "MANY", 7)
    for judge, expected in zip(judges, one_by_one, strict=True):
        np.testing.assert_allclose(judge(scores, targets), expected, rtol=1e-12)
