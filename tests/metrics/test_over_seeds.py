"""Intervals over videos and seeds: their level on synthetic draws, and cases that another method knows."""

import numpy as np
import pytest
from scipy import stats

from pipeline.metrics import intervals
from pipeline.metrics.intervals import Measured

VIDEOS = 120


@pytest.fixture(scope="module")
def draws():
    return intervals.draw(VIDEOS, 300, seed=1)


def trained(rng, videos_B, draws_BR, *, seeds, of_seed, of_pair):
    """A configuration whose seeds share what the videos are worth, and differ as a whole and video by video."""
    runs = []
    for _ in range(seeds):
        figures_B = 50 + videos_B + rng.normal(0, of_seed) + rng.normal(0, of_pair, VIDEOS)
        runs.append(Measured({"m": figures_B.mean()}, {"m": figures_B @ draws_BR / VIDEOS}, VIDEOS))
    return runs


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(("of_seed", "of_pair"), [(1.5, 10.0), (0.0, 20.0)])
def test_of_a_hundred_pairs_that_differ_by_seed_alone_about_five_are_told_apart(draws, seeds, of_seed, of_pair):
    rng = np.random.default_rng(0)
    apart = videos_alone = 0
    for _ in range(400):
        videos_B = rng.normal(0, 25, VIDEOS)
        one, other = (trained(rng, videos_B, draws, seeds=seeds, of_seed=of_seed, of_pair=of_pair) for _ in range(2))
        apart += intervals.told_apart(intervals.leads_over_seeds(one, other)["m"], seeds=seeds)
        lead = intervals.leads(intervals.averaged(one), intervals.averaged(other))["m"]
        videos_alone += lead.low > 0 or lead.high < 0
    assert 0.02 <= apart / 400 <= 0.08
    if of_seed:
        assert videos_alone / 400 > 0.2


def test_pairs_that_differ_in_their_videos_too_keep_the_level(draws):
    """Two configurations alike on average over all videos there are, but not on the drawn ones."""
    rng = np.random.default_rng(1)
    apart = 0
    for _ in range(400):
        videos_B = rng.normal(0, 25, VIDEOS)
        one = trained(rng, videos_B, draws, seeds=3, of_seed=1.0, of_pair=10.0)
        other = trained(rng, videos_B + rng.normal(0, 15, VIDEOS), draws, seeds=3, of_seed=1.0, of_pair=10.0)
        apart += intervals.told_apart(intervals.leads_over_seeds(one, other)["m"], seeds=3)
    assert 0.02 <= apart / 400 <= 0.08


def test_without_videos_effect_it_is_welchs_t_interval():
    """Where a draw of videos changes nothing, seeds alone are left."""
    rng = np.random.default_rng(2)
    one, other = rng.normal(50, 2, 3), rng.normal(53, 4, 5)
    flat = [[Measured({"m": value}, {"m": np.full(50, value)}, VIDEOS) for value in side] for side in (one, other)]
    lead = intervals.leads_over_seeds(*flat)["m"]
    welch = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert (lead.low, lead.high) == pytest.approx((welch.low, welch.high))


def test_without_seeds_effect_it_is_the_bootstraps_standard_error(draws):
    """Where all seeds agree, videos alone are left: a t-interval of the bootstrap's variance."""
    figures_B = np.random.default_rng(3).normal(50, 20, VIDEOS)
    run = Measured({"m": figures_B.mean()}, {"m": figures_B @ draws / VIDEOS}, VIDEOS)
    found = intervals.estimates_over_seeds([run] * 3)["m"]
    reach = stats.t.ppf(0.975, VIDEOS - 1) * run.over_draws["m"].std(ddof=1)
    assert (found.low, found.high) == pytest.approx((found.value - reach, found.value + reach))
    assert reach == pytest.approx(1.98 * figures_B.std(ddof=1) / np.sqrt(VIDEOS), rel=0.15)


def test_one_seed_is_never_told_apart(draws):
    rng = np.random.default_rng(4)
    videos_B = rng.normal(0, 25, VIDEOS)
    one = trained(rng, videos_B, draws, seeds=1, of_seed=1.0, of_pair=5.0)
    better = trained(rng, videos_B + 30, draws, seeds=3, of_seed=1.0, of_pair=5.0)
    lead = intervals.leads_over_seeds(better, one)["m"]
    assert lead == intervals.leads(intervals.averaged(better), one[0])["m"]
    assert lead.low > 0
    assert not intervals.told_apart(lead, seeds=1)
    assert intervals.estimates_over_seeds(one) == intervals.estimates(one[0])


def test_the_mean_of_draws_is_taken_draw_by_draw(draws):
    rng = np.random.default_rng(5)
    runs = trained(rng, rng.normal(0, 25, VIDEOS), draws, seeds=3, of_seed=1.0, of_pair=5.0)
    mean = intervals.averaged(runs)
    assert mean.over_draws["m"][7] == pytest.approx(sum(run.over_draws["m"][7] for run in runs) / 3)
    assert mean.values["m"] == pytest.approx(sum(run.values["m"] for run in runs) / 3)


def test_intervals_stay_within_what_a_metric_can_be():
    runs = [Measured({"m": value}, {"m": np.full(9, value)}, VIDEOS) for value in (20.0, 99.0)]
    found = intervals.estimates_over_seeds(runs)["m"]
    assert (found.low, found.high) == (0.0, 100.0)
