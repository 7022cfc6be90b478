"""Weighted metrics against metrics on the videos written out, and intervals against scipy.stats.bootstrap."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from pipeline.metrics import intervals, metrics
from pipeline.metrics.metrics import METRICS


@pytest.fixture(params=[0, 1, 2, 3])
def case(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (rounded, so with ties, in every other case), targets and 12 draws; every action has a positive."""
    rng = np.random.default_rng(request.param)
    scores, targets = rng.random((30, 8)), rng.random((30, 8)) < 0.25
    if request.param % 2:
        scores = np.round(scores, 1)
    targets[np.arange(30), np.arange(30) % 8] = True
    return scores, targets, intervals.draw(30, 12, seed=request.param)


def test_a_draw_is_a_multiset_of_videos():
    draws = intervals.draw(17, 500, seed=1)
    assert draws.shape == (17, 500)
    assert (draws.sum(axis=0) == 17).all()
    assert draws.mean() == 1
    assert draws.mean(axis=1) == pytest.approx(np.ones(17), abs=0.2)  # each video as likely: 4 standard errors
    assert (draws == 0).mean() == pytest.approx((1 - 1 / 17) ** 17, abs=0.02)


def test_draws_come_from_the_seed():
    assert (intervals.draw(9, 50, seed=1) == intervals.draw(9, 50, seed=1)).all()
    assert (intervals.draw(9, 50, seed=1) != intervals.draw(9, 50, seed=2)).any()


@pytest.mark.parametrize("name", ["map_micro", "map_action", "top1", "top5"])
def test_a_weighted_metric_is_the_metric_of_the_videos_written_out(case, name):
    scores, targets, draws = case
    for times, value in zip(draws.T, intervals.resampled(scores, targets, draws)[name], strict=True):
        rows = np.repeat(np.arange(30), times.astype(int))
        assert value == pytest.approx(METRICS[name](scores[rows], targets[rows]), abs=1e-9)


def test_map_sample_keeps_the_evaluated_actions_of_the_whole_set(case):
    scores, targets, draws = case
    precisions = metrics.video_precisions(scores, targets)
    expected = [precisions[np.repeat(np.arange(30), times.astype(int))].mean() for times in draws.T]
    np.testing.assert_allclose(intervals.resampled(scores, targets, draws)["map_sample"], expected)


def test_drawing_each_video_once_gives_the_metric_itself(case):
    scores, targets, _ = case
    once = intervals.resampled(scores, targets, np.ones((30, 1)))
    for name, metric in METRICS.items():
        assert once[name] == pytest.approx(metric(scores, targets))


def test_small_pieces_give_the_same_as_one(case, monkeypatch):
    scores, targets, draws = case
    whole = intervals.resampled(scores, targets, draws)
    monkeypatch.setattr(intervals, "CELLS", 1)
    pieces = intervals.resampled(scores, targets, draws)
    for name in METRICS:
        np.testing.assert_allclose(pieces[name], whole[name], rtol=1e-12)


def test_intervals_of_a_mean_against_scipy():
    rng = np.random.default_rng(0)
    scores, targets = rng.random((60, 12)), rng.random((60, 12)) < 0.3
    targets[:, 0] |= ~targets.any(axis=1)
    found = intervals.estimates(intervals.measure(scores, targets, intervals.draw(60, 4000, seed=3)))["map_sample"]
    sample = (metrics.video_precisions(scores, targets),)
    theirs = bootstrap(sample, np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(4))
    assert found.value == pytest.approx(np.mean(sample))
    assert found.low == pytest.approx(theirs.confidence_interval.low, abs=0.4)
    assert found.high == pytest.approx(theirs.confidence_interval.high, abs=0.4)


def test_paired_intervals_against_scipy():
    rng = np.random.default_rng(0)
    targets = rng.random((60, 12)) < 0.3
    targets[:, 0] |= ~targets.any(axis=1)
    good, poor = rng.random((60, 12)) + 0.4 * targets, rng.random((60, 12)) + 0.2 * targets
    ours, theirs = (intervals.measure(scores, targets, intervals.draw(60, 4000, seed=3)) for scores in (good, poor))
    found = intervals.leads(ours, theirs)["map_sample"]
    leads = metrics.video_precisions(good, targets) - metrics.video_precisions(poor, targets)
    theirs = bootstrap((leads,), np.mean, n_resamples=4000, method="percentile", rng=rng)
    assert found.value == pytest.approx(leads.mean())
    assert found.low == pytest.approx(theirs.confidence_interval.low, abs=0.4)
    assert found.high == pytest.approx(theirs.confidence_interval.high, abs=0.4)


def test_a_model_leads_itself_by_exactly_nothing(case):
    scores, targets, draws = case
    measured = intervals.measure(scores, targets, draws)
    assert set(intervals.leads(measured, measured).values()) == {(0.0, 0.0, 0.0)}


def test_pairing_narrows_the_interval_of_two_alike_models():
    rng = np.random.default_rng(2)
    targets = np.eye(10, dtype=bool)[rng.integers(0, 10, 80)]
    scores = rng.random((80, 10)) + 0.3 * targets
    alike = scores + 0.01 * rng.random((80, 10))
    draws = intervals.draw(80, 400, seed=0)
    measured = intervals.measure(scores, targets, draws)
    alone = intervals.estimates(measured)["map_sample"]
    paired = intervals.leads(intervals.measure(alike, targets, draws), measured)["map_sample"]
    assert paired.high - paired.low < (alone.high - alone.low) / 3


def test_percentiles_by_hand():
    found = intervals.estimate(7.0, np.array([*np.arange(41.0), np.nan]))  # 2.5%, 50% and 97.5% of 0..40: 1, 20, 39
    assert found == (7.0, 0.0, 26.0)  # moved by 7 - 20, and no lower than 0 percent
    assert intervals.estimate(7.0, np.arange(41.0), lowest=-100.0) == (7.0, -12.0, 26.0)
    assert intervals.estimate(20.0, np.arange(41.0)) == (20.0, 1.0, 39.0)


def test_an_interval_holds_its_figure_though_draws_favour_precision():
    """A video drawn twice stands beside itself: average precision rises on draws, most where positives are few."""
    rng = np.random.default_rng(1)
    targets = np.eye(24, dtype=bool)[rng.permutation(np.arange(48) % 24)]
    measured = intervals.measure(rng.random((48, 24)), targets, intervals.draw(48, 500, seed=0))
    draws = measured.over_draws["map_action"]
    assert np.median(draws) > measured.values["map_action"] + draws.std() / 2
    found = intervals.estimates(measured)["map_action"]
    assert found.low < found.value < found.high


def test_an_action_that_is_in_no_draw_has_no_interval():
    scores, targets = np.array([[0.3, 0.2], [0.1, 0.9]]), np.array([[1, 0], [1, 1]], dtype=bool)
    never = intervals.action_estimates(scores, targets, np.array([[2.0], [0.0]]))[1]
    assert never.value == 100.0
    assert np.isnan([never.low, never.high]).all()


def test_each_action_has_the_interval_of_its_own_precision(case):
    scores, targets, draws = case
    draws = draws[:, :8]
    found = intervals.action_estimates(scores, targets, draws)
    for action, one in enumerate(found):
        values = []
        for times in draws.T:
            rows = np.repeat(np.arange(30), times.astype(int))
            if targets[rows, action].any():
                values.append(metrics.action_precisions(scores[rows], targets[rows])[action])
        assert one == pytest.approx(intervals.estimate(one.value, np.array(values)), abs=1e-9)


def test_the_lead_in_an_actions_precision_is_that_of_the_videos_written_out(case):
    ours, targets, draws = case
    theirs = np.random.default_rng(9).random(ours.shape)
    lead = intervals.action_leads(ours, theirs, targets, draws)[3]
    written = [np.repeat(np.arange(30), times.astype(int)) for times in draws.T]
    over_draws = [
        (metrics.action_precisions(ours[rows], targets[rows]) - metrics.action_precisions(theirs[rows], targets[rows]))[
            3
        ]
        for rows in written
    ]
    value = metrics.action_precisions(ours, targets)[3] - metrics.action_precisions(theirs, targets)[3]
    assert lead == pytest.approx(intervals.estimate(value, np.array(over_draws), lowest=-100.0))
    assert intervals.action_leads(ours, ours, targets, draws)[3] == (0.0, 0.0, 0.0)


def test_a_thousand_draws_of_the_sample_take_no_loop_over_rankings():
    rng = np.random.default_rng(0)
    scores, targets = rng.random((120, 24)), rng.random((120, 24)) < 0.1
    targets[:, 0] |= ~targets.any(axis=1)
    found = intervals.estimates(intervals.measure(scores, targets, intervals.draw(120, 1000, seed=0)))
    assert all(one.low <= one.value <= one.high for one in found.values())
