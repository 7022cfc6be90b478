import math

import pytest

from pipeline.foundations.runtime.errors import PlainError
from pipeline.train.heads import Fitted, Trial
from pipeline.train.tune import Rates, as_given, grid, ranked, tune, tuning_seeds

SCORES = {
    Rates(0.01, 1e-4, 2): 50.0,
    Rates(0.01, 1e-4, 3): 60.0,
    Rates(0.1, 1e-4, 2): 70.0,
    Rates(0.1, 1e-4, 3): math.nan,
}


@pytest.fixture
def frozen(small):
    return small.frozen


def fitter(asked, scores=SCORES, wild=()):
    """A fit whose scores are known; `wild` are (seed, rate) that diverge."""

    def fit(trials, keep):
        asked.append((list(trials), keep))
        found = []
        for trial in trials:
            score = math.nan if (trial.seed, trial.learning_rate) in wild else scores[Rates(*trial[1:])]
            found.append(Fitted(trial, math.isnan(score), score, (), {}))
        return found

    return fit


def test_the_grid_is_all_combinations_and_the_same_whatever_is_trained(frozen):
    assert grid(frozen) == list(SCORES)
    assert as_given(frozen) == Rates(0.01, 1e-4, 3)
    assert len(set(tuning_seeds(7, frozen))) == frozen.tune_seeds == 2
    assert not set(tuning_seeds(7, frozen)) & set(range(7, 100))


def test_the_best_on_validation_is_trained_from_fresh_seeds(frozen):
    asked = []
    tuned = tune(frozen, fitter(asked), seed=7, seeds=[7, 8, 9])
    assert tuned.rates == Rates(0.1, 1e-4, 2)
    (tried, kept), (final, keep) = asked
    assert (len(tried), kept) == (8, False)
    assert (final, keep) == ([Trial(seed, 0.1, 1e-4, 2) for seed in (7, 8, 9)], True)
    assert len(tuned.rows) == 8 + 3
    assert {row.trial for row in tuned.rows if row.chosen} == {2}
    assert sum(row.diverged for row in tuned.rows if row.role == "tuning") == 2
    assert [row.seed for row in tuned.rows if row.role == "tuned"] == [7, 8, 9]


def test_a_setting_that_diverged_for_one_seed_is_not_chosen(frozen):
    wild = {(tuning_seeds(7, frozen)[1], 0.1)}
    assert tune(frozen, fitter([], wild=wild), seed=7, seeds=[7]).rates == Rates(0.01, 1e-4, 3)


def test_a_choice_that_diverges_from_a_fresh_seed_is_passed_over_and_told(frozen):
    tuned = tune(frozen, fitter([], wild={(8, 0.1)}), seed=7, seeds=[7, 8])
    assert tuned.rates == Rates(0.01, 1e-4, 3)
    final = [(row.learning_rate, row.seed, row.diverged, row.chosen) for row in tuned.rows if row.role == "tuned"]
    assert final == [(0.1, 7, False, False), (0.1, 8, True, False), (0.01, 7, False, True), (0.01, 8, False, True)]


def test_equals_go_by_the_order_of_the_grid(frozen):
    same = fitter([], dict.fromkeys(SCORES, 50.0))
    found = [same(rates.trials([1, 2]), False) for rates in grid(frozen)]
    assert ranked(found) == [0, 1, 2, 3]


def test_where_all_diverge_or_nothing_is_scored_it_says_so(frozen):
    with pytest.raises(PlainError, match=r"every setting of frozen\.tune diverged; add lower rates"):
        tune(frozen, fitter([], dict.fromkeys(SCORES, math.nan)), seed=7, seeds=[7])

    def unscored(trials, keep):
        return [Fitted(trial, False, math.nan, (), {}) for trial in trials]

    with pytest.raises(PlainError, match="the validation split, which has no videos"):
        tune(frozen, unscored, seed=7, seeds=[7])
