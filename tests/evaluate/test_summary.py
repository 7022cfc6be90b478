"""The table that a person reads at the end."""

from io import StringIO

import pytest
from rich.console import Console

from pipeline import tables
from pipeline.evaluate.metrics import METRICS
from pipeline.evaluate.summary import ROWS, summary


@pytest.fixture
def lines() -> list[str]:
    entries = sorted((row, metric) for row in ROWS for metric in METRICS)
    number = {row: 10.0 * place for place, row in enumerate(ROWS, start=1)}
    columns = {
        "row": [row for row, _ in entries],
        "metric": [metric for _, metric in entries],
        "value": [number[row] for row, _ in entries],
        "low": [float("nan") if row == "chance" else number[row] - 1.25 for row, _ in entries],
        "high": [float("nan") if row == "chance" else number[row] + 1.25 for row, _ in entries],
    }
    console = Console(file=StringIO(), width=160)
    console.print(summary(tables.from_columns("metrics", columns)))
    return console.file.getvalue().splitlines()


def test_each_row_has_each_metric_with_its_interval(lines):
    text = "\n".join(lines)
    assert all(metric in text for metric in METRICS)
    assert sum("10.0 (8.8 to 11.2)" in line and line.count("10.0 (") == 5 for line in lines) == 1
    assert sum("20.0 (18.8 to 21.2)" in line for line in lines) == 1


def test_chance_has_no_interval_and_a_lead_has_a_sign(lines):
    (chance,) = [line for line in lines if "chance" in line]
    assert "30.0" in chance
    assert "to" not in chance
    (lead,) = [line for line in lines if "lead over" in line]
    assert "+40.0 (+38.8 to +41.2)" in lead
