import re

import pytest

from pipeline.ablate import tables
from pipeline.ablate.result import Result, line
from pipeline.metrics.intervals import Estimate
from tests.ablate.conftest import figures_of


def test_markdown_as_a_reader_sees_it(result):
    text = tables.markdown(result)
    assert "| fully connected | 50.0 ± 1.2 (46.0 to 55.0) |" in text
    assert "| audio GCN | **+7.5 (+2.2 to +12.0)** |" in text
    assert "| text GCN | +1.0 (-2.0 to +3.5) |" in text
    assert "| 52.1 / 76.0 / 54.8 | 58.7 / 83.7 / 61.7 |" in text
    assert "authors' model zoo, M-MiT V1: top-1 / top-5 / mAP" in text
    assert "failed: train: error: train.batch" in text
    widths = [len(re.findall(r"(?<!\\)\|", row)) for row in text.splitlines() if row.startswith("|")]
    assert widths == [8] * 6 + [6] * 4


def test_the_mode_is_always_said(result):
    assert "frozen features: not the paper's joint training" in tables.markdown(result)
    assert "frozen features" in tables.latex(result)
    assert "jointly with the 3D-CNN" in tables.markdown(result._replace(mode="joint"))


def test_a_single_seed_says_no_spread():
    alone = Result(
        "controls", "joint", "sample", (line("controls", "model", "model", figures_of(60.0, None, 1), ""),), {}
    )
    text = tables.markdown(alone)
    assert "mean over 1 seed," in text
    assert "training noise is not in the interval, so no difference is told apart" in text
    assert "| model | 60.0 (56.0 to 65.0) |" in text
    assert "paired" not in text


def test_latex_is_balanced_and_escaped(result):
    text = tables.latex(result)
    for environment in ("table", "tabular"):
        assert text.count(f"\\begin{{{environment}}}") == text.count(f"\\end{{{environment}}}") > 0
    assert r"\textbf{+7.5 (+2.2 to +12.0)}" in text
    assert r"found 13 \& 50\%" in text
    rows = [row for row in text.splitlines() if row.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {6, 4}


def test_where_the_first_row_failed_the_others_are_held_against_the_next(result):
    _, audio, text, failed = result.lines
    base = audio._replace(figures=figures_of(57.5, None))
    written = tables.markdown(result._replace(lines=(failed, base, text)))
    assert "| difference to: audio GCN |" in written
    assert "other videos" not in written
    assert "| text GCN | +1.0 (-2.0 to +3.5) |" in written
    assert "difference to" not in tables.markdown(result._replace(lines=(failed, base)))


def test_a_title_is_said_once_and_ends_its_sentence(result):
    assert tables.markdown(result).count(result.title) == 1
    assert "joint learning. Heads alone, trained on frozen features" in tables.latex(result)
    assert "come from? Heads alone" in tables.latex(result._replace(ablation="controls"))


def test_with_one_seed_no_difference_is_in_bold(result):
    fc, audio, *_ = result.lines
    lead = audio.figures["top1"].lead
    lines = (fc._replace(figures=figures_of(50.0, None, 1)), audio._replace(figures=figures_of(57.5, lead, 1)))
    text = tables.markdown(result._replace(lines=lines))
    assert "| audio GCN | +7.5 (+2.2 to +12.0) |" in text
    assert "| **" not in text


def test_the_percentage_of_the_achievable_stands_beside_each_figure(result):
    best = {"map_sample": 80.0, "map_action": 75.0, "map_micro": 85.0, "top1": 82.0, "top5": 90.0}
    text = tables.markdown(result._replace(achievable=best))
    assert "| fully connected | 50.0 ± 1.2 (46.0 to 55.0) [62%] | 50.0 ± 1.2 (46.0 to 55.0) [67%] |" in text
    assert "what perfect sight can reach: mAP (by video) 80.0, mAP (by action) 75.0, top-1 82.0, top-5 90.0." in text
    assert "[" not in tables.markdown(result)


@pytest.fixture
def tuned(result):
    """Two rows, each tuned and untuned."""
    fc, audio = (line._replace(tuning="tuned", settings="rate 2; 3 of 12 diverged") for line in result.lines[:2])
    far = figures_of(20.0, Estimate(-11.0, -13.0, -9.0))
    untuned = [line._replace(tuning="untuned", settings="rate 0.05") for line in (fc, audio._replace(figures=far))]
    return result._replace(lines=(fc, untuned[0], audio, untuned[1]), budget="Budget of each row: 12 trials.")


def test_tuned_and_untuned_rows_stand_side_by_side_each_held_against_its_own_kind(tuned):
    text = tables.markdown(tuned)
    assert "| fully connected, tuned | rate 2; 3 of 12 diverged | 50.0 ± 1.2 (46.0 to 55.0) |" in text
    assert "| fully connected, untuned | rate 0.05 |" in text
    assert "Budget of each row: 12 trials." in text
    assert "| tuned, difference to: fully connected |" in text
    assert "| untuned, difference to: fully connected |" in text
    leads = [row for row in text.splitlines() if row.startswith("| audio GCN |")]
    assert ["+7.5" in leads[0], "-11.0" in leads[1]] == [True, True]
    assert r"\begin{tabular}" in tables.latex(tuned)
