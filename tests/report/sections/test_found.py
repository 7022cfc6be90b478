"""What the page claims comes from tuned tables with several seeds, in words that intervals allow."""

from dataclasses import replace

import pytest

from pipeline.ablate.result import Result, line
from pipeline.ablate.rows import ABLATIONS
from pipeline.foundations.params import load_params
from pipeline.metrics.intervals import Estimate
from pipeline.report import page
from pipeline.report.sections.found import QUESTIONS, REFERENCES, answers
from tests.ablate.conftest import figures_of

LEADS = {
    "free_matrix": Estimate(10.0, 8.0, 12.0),
    "no_edges": Estimate(-0.4, -1.5, 0.7),
    "fc": Estimate(-3.0, -5.0, -1.0),
}


@pytest.fixture
def values(finished):
    return load_params(finished / "params.yaml").model_dump(mode="json")


def controls(budget: str = "Budget of each row: 12 trials.", seeds: int = 5) -> Result:
    lines = [line("controls", "model", "audio + text GCNs", figures_of(60.0, None, seeds), "", tuning="tuned")]
    for row, lead in LEADS.items():
        lines.append(line("controls", row, row, figures_of(60.0 + lead.value, lead, seeds), "", tuning="tuned"))
        lines.append(
            line("controls", row, row, figures_of(20.0, Estimate(-40.0, -45.0, -35.0), seeds), "", tuning="untuned")
        )
    return Result("controls", "frozen", "sample, test split", tuple(lines), {}, budget)


def test_every_row_of_a_question_is_one_of_its_table():
    for question in QUESTIONS:
        rows = {row.name for row in ABLATIONS[question.ablation].rows}
        assert {REFERENCES[question.ablation], *question.rows} <= rows


def test_answers_come_from_tuned_rows_question_by_question():
    found = {answer.question: answer for answer in answers([controls()])}
    assert set(found) == {"Does the GCN matter?", "Does the graph matter?"}
    gcn = found["Does the GCN matter?"]
    assert (gcn.against, gcn.rows) == ("audio + text GCNs", ["free_matrix", "fc"])
    (measured,) = gcn.measured
    assert (measured.data, measured.labels, measured.seeds) == ("sample, test split", "", 5)
    assert [[figure.lead for figure in figures] for figures in measured.figures] == [
        [LEADS["free_matrix"]] * 2, [LEADS["fc"]] * 2,
    ]  # fmt: skip


def test_tables_of_a_data_set_stand_together_all_labels_first_and_joint_training_above_heads_alone():
    part, whole, joint = (
        controls()._replace(data=f"{data}, test split", labels=labels, mode=mode)
        for data, labels, mode in (("b", "activities", "frozen"), ("b", "", "frozen"), ("sample", "", "joint"))
    )
    some = controls()._replace(data="a, test split", lines=tuple(one for one in part.lines if one.row != "fc"))
    (gcn, _) = answers([part, whole, some, joint])
    assert [(one.data[0], one.labels[:6], one.mode) for one in gcn.measured] == [
        ("s", "", "joint"), ("a", "", "frozen"), ("b", "", "frozen"), ("b", "labels", "frozen"),
    ]  # fmt: skip
    assert gcn.measured[1].figures[1] is None


@pytest.mark.parametrize("result", [controls(budget=""), controls(seeds=1)])
def test_a_single_rate_or_a_single_seed_answers_nothing(result):
    assert answers([result]) == []


def test_without_the_row_that_all_are_held_against_nothing_is_answered():
    result = controls()
    failed = result.lines[0]._replace(figures={}, failed="diverged")
    assert answers([result._replace(lines=(failed, *result.lines[1:]))]) == []


def test_the_page_has_it_second_and_claims_nothing_without_a_tuned_table(run_tables, stages, values):
    html = page.render(replace(run_tables, ablations=[controls()]), stages, values)
    sections = [part.split('"')[0] for part in html.split('<section id="')[1:]]
    assert sections[:2] == ["result", "found"]
    assert "difference to audio + text GCNs" in html
    assert '<span class="lead apart">+10.0 (+8.0 to +12.0)</span>' in html
    assert '<span class="lead">-0.4 (-1.5 to +0.7)</span>' in html
    assert "Nothing is claimed here yet" not in html
    alone = page.render(replace(run_tables, ablations=[controls(budget="")]), stages, values)
    assert "Nothing is claimed here yet" in alone
    assert "train all rows at one rate, and settle nothing" in alone
