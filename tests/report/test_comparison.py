"""Two runs beside each other: what differs, who leads, and by how much."""

import json
import re

import pytest
from sklearn.metrics import average_precision_score

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.report.comparison import compare, render, to_json
from pipeline.report.runs import Run
from tests.browser import browsing

LABELS = {f"v{number:02d}": [number % 3] for number in range(9)}
CURVES = {"train/loss": [(1, 0.9), (2, 0.5)], "val/map_sample": [(2, 40.0)]}


def predictions(good: float):
    """Scores that put an action first as far as `good` goes, and otherwise the third."""
    rows = [
        (name, own, [good * (action == own[0]) + 0.5 * (action == 2) for action in range(4)])
        for name, own in LABELS.items()
    ]
    return tables.from_rows("predictions", rows)


@pytest.fixture(scope="module")
def pair():
    names = ["running", "<singing>", "diving", "never"]
    before = {"seed": 1, "model.heads": ["fc"], "train.epochs": 2}
    after = {"seed": 1, "model.heads": ["audio", "text"], "train.epochs": 2, "train.ema": None}
    first = Run("fc", before, names, predictions(0.0), {"train/loss": CURVES["train/loss"]})
    second = Run("this run", after, names, predictions(1.0).slice(1), CURVES)
    return compare(first, second, bootstrap=40, seed=0)


def test_parameters_that_differ_are_listed_and_no_others(pair):
    assert [tuple(setting) for setting in pair.settings] == [
        ("model.heads", "fc", "audio, text"),
        ("train.ema", "not set", "null"),
    ]


def test_leads_are_seconds_over_first_on_shared_videos(pair):
    assert (pair.videos, pair.alone) == (8, 1)
    lines = {line.name: line for line in pair.lines}
    top1 = lines["top1"]
    assert (top1.first.value, top1.second.value) == pytest.approx((100 * 3 / 8, 100.0))
    assert top1.lead.value == pytest.approx(100 * 5 / 8)
    assert top1.lead.low <= top1.lead.value <= top1.lead.high


def test_actions_fall_by_their_lead_and_those_without_a_video_are_left_out(pair):
    assert {gain.action for gain in pair.gains} == {"running", "<singing>", "diving"}
    leads = [gain.lead.value for gain in pair.gains]
    assert leads == sorted(leads, reverse=True)
    flat = 100 * average_precision_score([row % 3 == 1 for row in range(1, 9)], [0.0] * 8)
    singing = next(gain for gain in pair.gains if gain.action == "<singing>")
    assert (singing.first, singing.second) == pytest.approx((flat, 100.0), abs=1e-3)


def test_curves_lie_over_each_other(pair):
    assert [(panel.title, panel.names) for panel in pair.panels] == [
        ("train/loss", ["this run", "fc"]),
        ("val/map_sample", ["this run"]),
    ]
    assert "this run ends at 0.5, fc ends at 0.5" in pair.panels[0].svg


def test_runs_of_other_actions_or_of_one_name_are_refused(pair):
    run = Run("a", {}, ["x"], predictions(1.0), CURVES)
    with pytest.raises(PlainError, match="a was given twice"):
        compare(run, run, bootstrap=2, seed=0)
    with pytest.raises(PlainError, match="b has 2 actions and a other ones, 1 of them"):
        compare(run, run._replace(name="b", actions=["x", "y"]), bootstrap=2, seed=0)


def test_as_json_it_holds_every_figure(pair):
    found = json.loads(json.dumps(to_json(pair), allow_nan=False))
    assert (found["first"], found["second"]) == ("fc", "this run")
    assert found["lines"][0]["lead"].keys() == {"value", "low", "high"}
    assert len(found["gains"]) == 3


def test_the_page_is_whole_escaped_and_the_same_each_time(pair):
    html = render(pair)
    assert html == render(pair)
    assert "&lt;singing&gt;" in html
    assert "<singing>" not in html
    assert "src=" not in html

    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids)) > 4


def test_two_runs_of_one_seed_each_are_not_told_apart(pair):
    html = render(pair)
    assert any(line.lead.low > 0 for line in pair.lines)
    assert "training noise is not in these intervals" in html
    assert 'class="n strong"' not in html


def test_in_a_browser_it_opens_on_a_desk_and_on_a_phone(pair, tmp_path):
    page = tmp_path / "compare.html"
    page.write_text(render(pair), encoding="utf-8")
    with browsing(tmp_path / "profile") as browser:
        for width in (1280, 390):
            browser.open(page, width=width)
            assert (browser.errors, browser.requests) == ([], [page.as_uri()])
            assert browser.ask("document.documentElement.scrollWidth") == width
        browser.ask("document.querySelector('#actions thead button').click()")
        names = browser.ask("[...document.querySelectorAll('#actions tbody th')].map((e) => e.textContent)")
        assert sorted(names) == ["<singing>", "diving", "running"]
        assert browser.ask("document.querySelector('#actions thead th').ariaSort") == "ascending"
