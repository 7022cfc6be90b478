"""What the page claims in words must be what the interval allows."""

import numpy as np
import pytest

from pipeline.dataset.sample.achievable import achievable
from pipeline.foundations.params import load_params
from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import METRICS
from pipeline.report import page
from pipeline.report.sections import result
from pipeline.report.sections.result import ABOUT, Figure


def test_every_metric_is_explained_in_the_order_of_the_tables():
    assert list(ABOUT) == list(METRICS)


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        (Figure(12.3, 8.0, 16.1), "12.3 points (+8.0 to +16.1) above ranking by training frequency"),
        (Figure(-5.0, -9.0, -1.0), "5.0 points (-9.0 to -1.0) below ranking by training frequency"),
        (Figure(1.2, -0.5, 3.0), "not told apart from ranking by training frequency: +1.2 points (-0.5 to +3.0)"),
    ],
)
def test_a_lead_is_claimed_only_where_its_interval_excludes_zero(run_tables, lead, said):
    metrics = [metric._replace(lead=lead) for metric in result.metrics(run_tables.metrics)]
    assert said in result.lede(run_tables, metrics, "test").result


def test_the_second_sentence_counts_what_went_in(run_tables):
    words = result.lede(run_tables, result.metrics(run_tables.metrics), "test").data
    assert "read 14 videos of 6 actions, of which 10 can be heard, learnt from 5 and was scored on 3" in words


def test_metrics_are_those_of_the_table(run_tables):
    rows = {(row["row"], row["metric"]): row["value"] for row in run_tables.metrics.to_pylist()}
    for metric in result.metrics(run_tables.metrics):
        assert metric.model.value == rows["model", metric.name]
        assert metric.chance.value == rows["chance", metric.name]


def test_actions_fall_by_precision_and_those_without_a_video_come_last():
    columns = {
        "action_id": range(4),
        "action": list("abcd"),
        "training": [1] * 4,
        "positives": [2, 0, 1, 3],
        "ap": [30.0, np.nan, 80.0, 50.0],
        **{name: [1.0, np.nan, 1.0, 1.0] for name in ("low", "high", "chance")},
    }
    assert [row["action"] for row in result.actions(tables.from_columns("per_action", columns))] == list("cdab")


@pytest.fixture
def values(finished):
    return load_params(finished / "params.yaml").model_dump(mode="json")


def test_the_sample_shows_each_metric_as_a_percentage_of_the_achievable(run_tables, stages, values):
    values["render"]["hidden"] = 0.2
    metrics = result.metrics(run_tables.metrics)
    found = result.best(metrics, values)
    assert [one.metric for one in found] == list(METRICS)
    reached = achievable(0.2)
    for one, metric in zip(found, metrics, strict=True):
        assert one.of_related == pytest.approx(100 * metric.model.value / reached["bayes"][metric.name])
        assert one.of_independent >= one.of_related
    html = page.render(run_tables, stages, values)
    assert f"{found[0].of_related:.0f}% of the achievable {reached['bayes']['map_sample']:.1f}" in html
    assert "probability 0.2 (" in html


@pytest.mark.parametrize(("section", "key", "value"), [("dataset", "source", "mmit"), ("render", "hidden", 0.0)])
def test_other_data_and_a_sample_that_hides_nothing_have_no_known_limit(
    run_tables, stages, values, section, key, value
):
    values[section][key] = value
    assert result.best(result.metrics(run_tables.metrics), values) == []
    assert "of the achievable" not in page.render(run_tables, stages, values)
