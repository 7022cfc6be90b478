import math

import numpy as np
import pytest
from scipy import stats

from pipeline.ablate import statistics
from pipeline.ablate.statistics import figures, spread
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.metrics import metrics

ACTIONS = 6


def predictions(scores, targets, names=None):
    ids = names or [f"v{number:03d}" for number in range(len(scores))]
    actions = [np.flatnonzero(own).tolist() for own in targets]
    columns = {"video_id": ids, "actions": actions, "scores": np.asarray(scores, np.float32)}
    return tables.from_columns("predictions", columns)


@pytest.fixture(scope="module")
def targets():
    drawn = np.random.default_rng(0).random((60, ACTIONS)) < 0.3
    drawn[np.arange(60), np.arange(60) % ACTIONS] = True
    return drawn


def scored(targets, seed, signal):
    return np.random.default_rng(seed).random(targets.shape) + signal * targets


@pytest.fixture(scope="module")
def rows(targets):
    return {
        "fc": [predictions(scored(targets, seed, 0.2), targets) for seed in (1, 2, 3)],
        "audio": [predictions(scored(targets, seed, 0.5), targets) for seed in (4, 5, 6)],
    }


@pytest.fixture(scope="module")
def found(rows):
    return figures(rows, actions=ACTIONS, bootstrap=4000, seed=1)


def test_large_tables_are_measured_by_several_processes_to_the_same_figures(rows, found, monkeypatch):
    monkeypatch.setattr(statistics, "MANY", 0)
    assert figures(rows, actions=ACTIONS, bootstrap=4000, seed=1) == found


def test_by_hand():
    """Two videos, two seeds. The first seed's best action is right for one video, the second's for both."""
    targets = np.array([[1, 0], [0, 1]], dtype=bool)
    one, two = predictions([[0.9, 0.1], [0.8, 0.2]], targets), predictions([[0.9, 0.1], [0.2, 0.8]], targets)
    figure = figures({"only": [one, two]}, actions=2, bootstrap=50, seed=0)["only"]["top1"]
    assert (figure.seeds, figure.mean) == (2, 75.0)
    assert figure.spread == pytest.approx(math.sqrt(((50 - 75) ** 2 + (100 - 75) ** 2) / 1))
    assert figure.lead is None


def test_mean_and_spread_are_those_of_the_seeds_own_metrics(rows, found, targets):
    for row, of_seeds in rows.items():
        for name, metric in metrics.METRICS.items():
            own = [metric(tables.vectors(table["scores"]), targets) for table in of_seeds]
            assert found[row][name].mean == pytest.approx(np.mean(own))
            assert found[row][name].spread == pytest.approx(stats.tstd(own))


def test_a_single_seed_has_scipys_bootstrap_over_videos(rows, targets):
    """Of top-1, which is a mean over videos: what is resampled can be handed to scipy as it is."""
    hits = metrics.hits(tables.vectors(rows["audio"][0]["scores"]), targets, best=1)
    theirs = stats.bootstrap((hits,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(0))
    ours = figures({"audio": rows["audio"][:1]}, actions=ACTIONS, bootstrap=4000, seed=1)["audio"]["top1"].interval
    assert ours.value == pytest.approx(hits.mean())
    one_video = 100 / len(targets)  # the steps in which both can differ
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=1.01 * one_video)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=1.01 * one_video)


def test_training_noise_is_in_the_difference_of_several_seeds_alone(rows, found):
    lead = found["audio"]["top1"]
    assert lead.lead_seeds == 3
    assert lead.lead.value == pytest.approx(found["audio"]["top1"].mean - found["fc"]["top1"].mean)
    assert lead.apart
    single = figures({row: of_seeds[:1] for row, of_seeds in rows.items()}, actions=ACTIONS, bootstrap=500, seed=1)
    assert single["audio"]["top1"].lead.low > 0
    assert not single["audio"]["top1"].apart
    assert (found["fc"]["top1"].lead, found["fc"]["top1"].apart) == (None, False)


def test_a_row_of_which_one_seed_is_left_is_not_told_apart(rows):
    found = figures({"fc": rows["fc"], "audio": rows["audio"][:1]}, actions=ACTIONS, bootstrap=500, seed=1)
    assert found["audio"]["top1"].lead_seeds == 1
    assert not found["audio"]["top1"].apart


def test_a_row_that_is_the_first_again_is_not_told_apart(rows):
    found = figures({"fc": rows["fc"], "again": rows["fc"]}, actions=ACTIONS, bootstrap=100, seed=1)
    assert all(figure.lead.value == 0.0 for figure in found["again"].values())
    assert not any(figure.apart for figure in found["again"].values())


def test_rows_of_other_videos_are_not_held_against_the_first(rows, targets):
    others = predictions(scored(targets, 9, 0.2), targets, [f"other-{number:03d}" for number in range(60)])
    found = figures({"fc": rows["fc"], "elsewhere": [others]}, actions=ACTIONS, bootstrap=50, seed=1)
    assert found["elsewhere"]["top1"].lead is None


def test_seeds_scored_on_different_videos_are_refused(rows, targets):
    others = predictions(scored(targets, 9, 0.2), targets, [f"other-{number:03d}" for number in range(60)])
    with pytest.raises(PlainError, match="audio: its seeds were scored on different videos"):
        figures({"audio": [rows["audio"][0], others]}, actions=ACTIONS, bootstrap=50, seed=1)


def test_one_seed_has_no_spread():
    assert math.isnan(spread([3.0]))
    assert spread([1.0, 3.0]) == pytest.approx(math.sqrt(2))
