"""`m3a ablate` but for its experiments (tests/end_to_end/test_ablate.py): what is asked for, printed and returned."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.ablate.rows import TABLE1
from pipeline.ablate.trying import Verdict
from pipeline.cli import app
from pipeline.foundations.runtime.errors import PlainError
from pipeline.metrics.intervals import Estimate
from tests.ablate.conftest import figures_of
from tests.ablate.conftest import result as _result

run = CliRunner()
result = _result


@pytest.fixture
def asked(monkeypatch, root, result):
    """What the library is called with; it gives a table whose last row has failed, or that without it."""
    monkeypatch.chdir(root)
    calls = []

    def ablate(ablation, params, **how):
        calls.append((ablation, how))
        return [result if how["mode"] == "frozen" else result._replace(mode="joint", lines=result.lines[:-1])]

    monkeypatch.setattr("pipeline.ablate.ablate.ablate", ablate)
    return calls


def test_all_that_is_asked_reaches_the_experiments(asked):
    settings = ("--set", "train.epochs=12", "--set", "words.name=a b", "--set", "train.jitter=[56, 60]")
    shown = run.invoke(app, ["ablate", "table1", "--seeds", "3", "--rows", "fc, audio", "--jobs", "2", *settings])
    assert shown.exit_code == 0
    extra = {"train.epochs": 12, "words.name": "a b", "train.jitter": [56, 60]}
    how = {"mode": "joint", "seeds": 3, "only": ["fc", "audio"], "extra": extra, "tune": False, "at_once": 2}
    assert asked == [(TABLE1, how)]
    last = shown.output.splitlines()[-1]
    assert last == "as CSV, Markdown and LaTeX: data/ablations/table1-joint.*; `dvc repro` puts it in the report"


def test_a_row_that_failed_is_named_last_and_gives_status_1(asked):
    shown = run.invoke(app, ["ablate", "table1", "--mode", "frozen"])
    assert shown.exit_code == 1
    assert "| audio GCN | **+7.5 (+2.2 to +12.0)** |" in shown.output
    assert shown.output.splitlines()[-1] == "failed: all"


def test_names_of_rows_are_told_to_whoever_asks(monkeypatch, root: Path):
    monkeypatch.chdir(root)
    with pytest.raises(
        PlainError, match=r"^--rows: table1 has no row \?; its rows are fc, visual, audio, text, visual-audio"
    ):
        run.invoke(app, ["ablate", "table1", "--rows", "?"], catch_exceptions=False)


def test_a_setting_without_a_value_is_a_plain_error(monkeypatch, root: Path):
    monkeypatch.chdir(root)
    with pytest.raises(PlainError, match=r"^--set train\.epochs: write KEY=VALUE"):
        run.invoke(app, ["ablate", "table1", "--set", "train.epochs"], catch_exceptions=False)


def test_a_setting_that_is_not_valid_is_told_before_anything_runs(asked):
    with pytest.raises(PlainError, match=r"^params\.yaml: train\.epochs: found 0"):
        run.invoke(app, ["ablate", "table1", "--set", "train.epochs=0"], catch_exceptions=False)
    assert asked == []


def test_tuning_is_asked_for(asked):
    run.invoke(app, ["ablate", "table1", "--mode", "frozen", "--tune"])
    assert asked[0][1]["tune"] is True
    assert asked[0][1]["seeds"] == 3


@pytest.fixture
def tried(monkeypatch, root):
    """What `m3a try` hands to the library, whose verdict is that the change is better."""
    monkeypatch.chdir(root)
    calls = []

    def attempt(changes, params, **how):
        calls.append((changes, params.model.heads, how))
        lead, seeds = Estimate(4.0, 1.0, 7.0), how["seeds"]
        return Verdict(figures_of(50.0, None, seeds), figures_of(54.0, lead, seeds))

    monkeypatch.setattr("pipeline.ablate.trying.attempt", attempt)
    return calls


def test_a_change_is_tried_and_its_verdict_comes_last(tried):
    shown = run.invoke(app, ["try", "-S", "model.heads=[audio,text]", "--seeds", "3"])
    assert shown.exit_code == 0
    how = {"mode": "joint", "seeds": 3}
    assert tried == [({"model.heads": ["audio", "text"]}, ("audio", "text"), how)]
    assert shown.output.splitlines()[-1] == "better: map_sample +4.0 points (+1.0 to +7.0)"
    assert "videos and seeds" in " ".join(shown.output.split())


def test_one_seed_gives_no_verdict(tried):
    shown = run.invoke(app, ["try", "-S", "train.epochs=12", "--seeds", "1", "--mode", "frozen"])
    assert "no verdict from one seed" in shown.output
    assert "training noise is not in the interval" in " ".join(shown.output.split())
