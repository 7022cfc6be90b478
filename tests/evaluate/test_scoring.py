"""The tables of figures against the metrics they hold, and what is refused."""

import numpy as np
import pytest

from pipeline.evaluate import scoring
from pipeline.evaluate.references import chance, expected_precision, frequency
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import METRICS, action_precisions

VIDEOS, ACTIONS = 40, 7


def table_of(name: str, targets: np.ndarray, **columns: object):
    ids = [f"video{number:03d}" for number in range(len(targets))]
    own = [np.flatnonzero(row).tolist() for row in targets]
    return tables.from_columns(name, {"video_id": ids, "actions": own} | columns)


@pytest.fixture(scope="module")
def case():
    """Scores that know something, targets with an action that never occurs, and training videos."""
    rng = np.random.default_rng(4)
    targets, trained = rng.random((VIDEOS, ACTIONS)) < 0.3, rng.random((60, ACTIONS)) < 0.3
    targets[:, 5] = False
    targets[:, 0] |= ~targets.any(axis=1)
    trained[:, 1] |= ~trained.any(axis=1)
    scores = (rng.random((VIDEOS, ACTIONS)) + targets / 3).astype(np.float32)
    return scores, targets, trained


@pytest.fixture(scope="module")
def actions():
    names = [f"action{number}" for number in range(ACTIONS)]
    return tables.from_columns(
        "actions", {"action_id": range(ACTIONS), "action": names, "words": [[name] for name in names]}
    )


@pytest.fixture(scope="module")
def figures(case, actions):
    scores, targets, trained = case
    predictions = table_of("predictions", targets, scores=scores)
    training = table_of("splits", trained, drawn_for=[None] * len(trained))
    return scoring.figures(predictions, training, actions, bootstrap=200, seed=3)


def row(figures, name: str) -> dict[str, dict[str, float]]:
    return {entry["metric"]: entry for entry in figures.metrics.to_pylist() if entry["row"] == name}


def test_the_models_row_and_the_headline_hold_the_metrics(case, figures):
    scores, targets, _ = case
    for name, metric in METRICS.items():
        assert row(figures, "model")[name]["value"] == figures.headline[name] == round(metric(scores, targets), 4)
    assert (figures.headline["videos"], figures.headline["actions_evaluated"]) == (VIDEOS, ACTIONS - 1)


def test_the_references_rows(case, figures):
    _, targets, trained = case
    expected = chance(targets)
    by_frequency = frequency(trained.sum(axis=0), targets, np.ones((VIDEOS, 1)), seed=3).values
    for name in METRICS:
        assert row(figures, "frequency")[name]["value"] == pytest.approx(by_frequency[name], abs=1e-4)
        assert row(figures, "chance")[name]["value"] == pytest.approx(expected[name], abs=1e-4)


def test_the_lead_is_the_models_value_less_that_of_the_frequency_ranking(figures):
    for name in METRICS:
        model, reference, lead = (row(figures, kind)[name]["value"] for kind in ("model", "frequency", "lead"))
        assert lead == pytest.approx(model - reference, abs=2e-4)


def test_intervals_hold_their_values_and_chance_has_none(figures):
    for entry in figures.metrics.to_pylist():
        if entry["row"] == "chance":
            assert np.isnan([entry["low"], entry["high"]]).all()
        else:
            assert entry["low"] <= entry["value"] <= entry["high"]


def test_a_model_that_knows_something_leads_for_certain(figures):
    assert row(figures, "lead")["map_sample"]["low"] > 0
    assert row(figures, "lead")["map_action"]["low"] > 0


def test_the_table_of_actions(case, figures):
    scores, targets, trained = case
    found = figures.per_action.to_pydict()
    assert found["training"] == trained.sum(axis=0).tolist()
    assert found["positives"] == targets.sum(axis=0).tolist()
    np.testing.assert_allclose(found["ap"], action_precisions(scores, targets), atol=1e-4)
    assert np.isnan([found[name][5] for name in ("ap", "low", "high", "chance")]).all()
    assert found["chance"][2] == pytest.approx(100 * expected_precision(int(targets[:, 2].sum()), VIDEOS), abs=1e-4)
    assert np.nanmean(found["ap"]) == pytest.approx(figures.headline["map_action"], abs=1e-3)


def test_the_same_seed_gives_the_same_figures(case, actions, figures):
    scores, targets, trained = case
    predictions = table_of("predictions", targets, scores=scores)
    training = table_of("splits", trained, drawn_for=[None] * len(trained))
    same, other = (scoring.figures(predictions, training, actions, bootstrap=200, seed=seed) for seed in (3, 4))
    assert str(same.metrics.to_pylist()) == str(figures.metrics.to_pylist())
    assert other.headline == figures.headline
    assert str(other.metrics.to_pylist()) != str(figures.metrics.to_pylist())


def test_predictions_of_another_vocabulary_are_refused(case, actions):
    scores, targets, trained = case
    predictions = table_of("predictions", targets[:, :6], scores=scores[:, :6])
    training = table_of("splits", trained, drawn_for=[None] * len(trained))
    with pytest.raises(PlainError, match="have 6 scores a video, but there are 7 actions"):
        scoring.figures(predictions, training, actions, bootstrap=10, seed=0)


def test_no_predictions_at_all_are_refused(case, actions):
    training = table_of("splits", case[2], drawn_for=[None] * len(case[2]))
    with pytest.raises(PlainError, match=r"excluded\.parquet"):
        scoring.figures(tables.empty("predictions"), training, actions, bootstrap=10, seed=0)
