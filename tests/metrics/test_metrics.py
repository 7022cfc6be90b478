"""Metrics against hand-computed cases, a literal slow formula, and scikit-learn's own averages."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, top_k_accuracy_score

from pipeline.foundations.runtime.errors import PlainError
from pipeline.metrics.metrics import (
    METRICS,
    action_precisions,
    actions_evaluated,
    map_action,
    map_micro,
    map_sample,
    map_sample_of_each,
    top1,
    top5,
    video_precisions,
)


def literal_precision(scores: np.ndarray, targets: np.ndarray) -> float:
    """Average precision as a textbook has it: at each positive, the precision of all that score as high."""
    at = [targets[scores >= scores[i]].mean() for i in np.flatnonzero(targets)]
    return float(100 * np.mean(at))


@pytest.fixture(params=range(8))
def case(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """Scores and targets of random sizes; every other case has many ties and an action without a positive."""
    rng = np.random.default_rng(request.param)
    videos, actions = rng.integers(2, 40), rng.integers(6, 30)
    scores = rng.random((videos, actions))
    targets = rng.random((videos, actions)) < 0.2
    if request.param % 2:
        scores = np.round(scores, 1)
        targets[:, 3] = False
    targets[~targets.any(axis=1), 0] = True
    return scores, targets


def test_many_models_at_once_have_the_metric_of_each(case):
    scores, targets = case
    stacked = np.stack([scores, scores[:, ::-1], np.zeros_like(scores)]).astype(np.float32)
    expected = [map_sample(one, targets) for one in stacked]
    np.testing.assert_allclose(map_sample_of_each(stacked, targets), expected, rtol=1e-12)


def test_hand_computed_videos():
    scores = np.array([[0.9, 0.8, 0.1, 0.7], [0.2, 0.6, 0.5, 0.4]])
    targets = np.array([[1, 0, 0, 1], [0, 0, 1, 0]], dtype=bool)
    # action 1 has no positive and is left out: video 0 ranks 0, 3, 2: (1/1 + 2/2) / 2; video 1 ranks 2, 3, 0: 1/1
    assert map_sample(scores, targets) == 100.0
    # with it, video 0 would reach (1/1 + 2/3) / 2 and video 1 1/2: the omission matters
    assert map_micro(scores, targets) == pytest.approx(100 * (1 / 1 + 2 / 3 + 3 / 5) / 3)
    assert actions_evaluated(targets) == 3


def test_hand_computed_actions():
    scores = np.array([[0.9, 0.3], [0.8, 0.2], [0.1, 0.9]])
    targets = np.array([[0, 1], [1, 0], [1, 1]], dtype=bool)
    np.testing.assert_allclose(action_precisions(scores, targets), [100 * (1 / 2 + 2 / 3) / 2, 100.0])
    assert map_action(scores, targets) == pytest.approx((100 * 7 / 12 + 100) / 2)


def test_hand_computed_top():
    scores = np.array([[6, 5, 4, 3, 2, 1.0]] * 3)
    targets = np.eye(6, dtype=bool)[[0, 4, 5]]
    assert top1(scores, targets) == pytest.approx(100 / 3)
    assert top5(scores, targets) == pytest.approx(200 / 3)


def test_against_the_literal_formula(case):
    scores, targets = case
    kept = targets.any(axis=0)
    videos = [literal_precision(s, t) for s, t in zip(scores[:, kept], targets[:, kept], strict=True)]
    actions = [literal_precision(s, t) for s, t in zip(scores[:, kept].T, targets[:, kept].T, strict=True)]
    assert map_sample(scores, targets) == pytest.approx(np.mean(videos), abs=1e-10)
    assert map_action(scores, targets) == pytest.approx(np.mean(actions), abs=1e-10)
    assert map_micro(scores, targets) == pytest.approx(literal_precision(scores.ravel(), targets.ravel()), abs=1e-10)


def test_against_the_averages_of_scikit_learn(case):
    scores, targets = case
    kept = targets.any(axis=0)
    for ours, average in ((map_sample, "samples"), (map_action, "macro"), (map_micro, "micro")):
        columns = slice(None) if average == "micro" else kept
        theirs = 100 * average_precision_score(targets[:, columns], scores[:, columns], average=average)
        assert ours(scores, targets) == pytest.approx(theirs, abs=1e-10)


@pytest.mark.parametrize(("ours", "k"), [(top1, 1), (top5, 5)])
def test_top_against_scikit_learn_where_each_video_has_one_action(ours, k):
    rng = np.random.default_rng(5)
    scores, labels = rng.random((50, 9)), rng.integers(0, 9, 50)
    theirs = 100 * top_k_accuracy_score(labels, scores, k=k, labels=range(9))
    assert ours(scores, np.eye(9, dtype=bool)[labels]) == pytest.approx(theirs)


def test_order_of_videos_and_of_actions_is_irrelevant(case):
    scores, targets = case
    rng = np.random.default_rng(0)
    scores = scores + 1e-6 * rng.random(scores.shape)  # without ties, which top1 breaks by action id
    rows, columns = rng.permutation(scores.shape[0]), rng.permutation(scores.shape[1])
    for metric in METRICS.values():
        shuffled = metric(scores[rows][:, columns], targets[rows][:, columns])
        assert metric(scores, targets) == pytest.approx(shuffled, abs=1e-10)


def test_equal_scores_are_one_step_and_favour_nobody():
    targets = np.array([[1, 0, 0, 1]], dtype=bool)
    assert map_micro(np.zeros((1, 4)), targets) == 50.0  # all four at once: two of four
    assert map_sample(np.zeros((1, 4)), targets) == 100.0  # only actions with a positive are ranked


def test_ties_at_the_top_go_to_the_lower_action_id():
    assert top1(np.zeros((1, 3)), np.array([[1, 0, 0]], dtype=bool)) == 100.0
    assert top1(np.zeros((1, 3)), np.array([[0, 0, 1]], dtype=bool)) == 0.0


def test_a_perfect_and_a_reversed_ranking():
    targets = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], dtype=bool)
    assert all(metric(targets.astype(float), targets) == 100.0 for metric in METRICS.values())
    reversed_ranking = literal_precision(np.array([0, 0.1, 0.8, 0.9]), targets[0])
    assert map_sample(np.array([[0, 0.1, 0.8, 0.9], [0.9, 0.8, 0.1, 0]]), targets) == pytest.approx(reversed_ranking)


def test_one_video():
    scores, targets = np.array([[0.1, 0.7, 0.3]]), np.array([[1, 0, 1]], dtype=bool)
    assert map_action(scores, targets) == 100.0  # each action's only video is a positive
    assert actions_evaluated(targets) == 2


def test_one_action():
    scores, targets = np.array([[0.4], [0.9]]), np.array([[1], [1]], dtype=bool)
    assert [metric(scores, targets) for metric in METRICS.values()] == [100.0] * 5


def test_an_action_without_a_positive_has_no_precision():
    assert np.isnan(action_precisions(np.ones((2, 2)), np.array([[1, 0], [1, 0]], dtype=bool))[1])


def test_a_video_that_has_every_action_is_always_right(case):
    scores, targets = case
    targets = targets.copy()
    targets[0] = True
    assert video_precisions(scores, targets)[0] == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("scores", "targets", "said"),
    [
        (np.zeros((0, 3)), np.zeros((0, 3), bool), "both must be videos x actions, and not empty"),
        (np.zeros((2, 3)), np.ones((2, 4), bool), "(2, 3) and targets (2, 4)"),
        (np.array([[np.nan, 0]]), np.array([[True, False]]), "diverged"),
        (np.zeros((2, 2)), np.array([[True, False], [False, False]]), "video 1 has no action"),
    ],
)
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_what_cannot_be_judged_is_refused(metric, scores, targets, said):
    with pytest.raises(PlainError) as error:
        metric(scores, targets)
    assert said in str(error.value)
