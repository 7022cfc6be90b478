"""`m3a ablate` but for its experiments (tests/end_to_end/test_ablate.py): what is asked for, printed and returned."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.ablate.rows import TABLE1
from pipeline.cli import app
from pipeline.foundations.runtime.errors import PlainError
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
        return result if how["mode"] == "frozen" else result._replace(mode="joint", lines=result.lines[:-1])

    monkeypatch.setattr("pipeline.ablate.ablate.ablate", ablate)
    return calls


def test_all_that_is_asked_reaches_the_experiments(asked):
    settings = ("--set", "train.epochs=12", "--set", "words.name=a b", "--set", "train.jitter=[56, 60]")
    shown = run.invoke(app, ["ablate", "table1", "--seeds", "3", "--rows", "fc, audio", *settings])
    assert shown.exit_code == 0
    extra = {"train.epochs": 12, "words.name": "a b", "train.jitter": [56, 60]}
    assert asked == [(TABLE1, {"mode": "joint", "seeds": 3, "only": ["fc", "audio"], "extra": extra})]
    last = shown.output.splitlines()[-1]
    assert last == "as CSV, Markdown and LaTeX: data/ablations/table1-joint.*; `dvc repro` puts it in the report"


def test_a_row_that_failed_is_named_last_and_gives_status_1(asked):
    shown = run.invoke(app, ["ablate", "table1", "--mode", "frozen"])
    assert shown.exit_code == 1
    assert "| audio GCN | **+7.5 (+2.2 to +12.0)** |" in shown.output
    assert shown.output.splitlines()[-1] == "failed: all"


def test_names_of_rows_are_told_to_whoever_asks(monkeypatch, root: Path):
    monkeypatch.chdir(root)
    with pytest.raises(PlainError, match=r"^--rows: found \?, expected some of fc, visual, audio, text, visual-audio"):
        run.invoke(app, ["ablate", "table1", "--rows", "?"], catch_exceptions=False)


def test_a_setting_without_a_value_is_a_plain_error(monkeypatch, root: Path):
    monkeypatch.chdir(root)
    with pytest.raises(PlainError, match=r"^--set: found train\.epochs, expected KEY=VALUE"):
        run.invoke(app, ["ablate", "table1", "--set", "train.epochs"], catch_exceptions=False)
