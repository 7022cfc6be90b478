"""The metrics as a table to read on a terminal."""

import math
from collections.abc import Mapping

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from pipeline.metrics.metrics import METRICS

COLUMNS = {
    "model": "this model",
    "frequency": "by training frequency",
    "chance": "chance",
    "lead": "lead over frequency",
}
"""What each row of the table of metrics is, in words."""
WIDTH = 100  # where there is no terminal to say


def summary(metrics: pa.Table) -> Table:
    """The table of metrics, a line each, the model beside the reference rankings."""
    found = {(entry["row"], entry["metric"]): entry for entry in metrics.to_pylist()}
    table = Table(caption="percent; in brackets the 95% interval of a bootstrap over videos, paired for the lead")
    table.add_column("")
    for words in COLUMNS.values():
        table.add_column(words, justify="right")
    for metric in METRICS:
        table.add_row(metric, *(cell(found[row, metric], signed=row == "lead") for row in COLUMNS))
    return table


def show(metrics: pa.Table, console: Console) -> None:
    """Print the table of metrics."""
    lay(summary(metrics), console)


def lay(table: Table, console: Console) -> None:
    """Print a table as wide as the terminal, or `WIDTH` where there is none."""
    paper = console if console.is_terminal else Console(file=console.file, width=WIDTH)
    paper.print(table)


def cell(entry: Mapping[str, float], *, signed: bool) -> str:
    """A figure with its interval, where it has one; from its `value`, `low` and `high`."""
    sign = "+" if signed else ""
    value = f"{entry['value']:{sign}.1f}"
    if math.isnan(entry["low"]):
        return value
    return f"{value} ({entry['low']:{sign}.1f} to {entry['high']:{sign}.1f})"
