"""The table that a person reads at the end."""

from io import StringIO

import pytest
from rich.console import Console

from pipeline.evaluate.summary import COLUMNS, show
from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import METRICS


@pytest.fixture
def metrics():
    entries = sorted((row, metric) for row in COLUMNS for metric in METRICS)
    number = {row: 10.0 * place for place, row in enumerate(COLUMNS, start=1)}
    columns = {
        "row": [row for row, _ in entries],
        "metric": [metric for _, metric in entries],
        "value": [number[row] for row, _ in entries],
        "low": [float("nan") if row == "chance" else number[row] - 1.25 for row, _ in entries],
        "high": [float("nan") if row == "chance" else number[row] + 1.25 for row, _ in entries],
    }
    return tables.from_columns("metrics", columns)


def printed(metrics, **options) -> list[str]:
    console = Console(file=StringIO(), **options)
    show(metrics, console)
    return console.file.getvalue().splitlines()


def test_each_metric_is_one_line_of_a_log(metrics):
    lines = printed(metrics)
    for metric in METRICS:
        (line,) = [line for line in lines if metric in line]
        cells = [cell.strip() for cell in line.strip("│").split("│")]
        assert cells == [metric, "10.0 (8.8 to 11.2)", "20.0 (18.8 to 21.2)", "30.0", "+40.0 (+38.8 to +41.2)"]


def test_columns_say_what_they_are(metrics):
    lines = printed(metrics)
    assert all(words in lines[1] for words in COLUMNS.values())
    assert "95% interval" in lines[-1]


def test_a_narrow_terminal_is_kept_to(metrics):
    assert max(map(len, printed(metrics, force_terminal=True, width=72, color_system=None))) <= 72
