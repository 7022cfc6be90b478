"""The metrics as a table to read on a terminal."""

import math

import pyarrow as pa
from rich.table import Table

from pipeline.evaluate.metrics import METRICS

ROWS = {
    "model": "this model",
    "frequency": "ranking by training frequency",
    "chance": "chance",
    "lead": "lead over frequency",
}
"""What each row of the table of metrics is, in words."""


def summary(metrics: pa.Table) -> Table:
    """The table of metrics, a row each for the model, what it is held against, and its lead."""
    found = {(entry["row"], entry["metric"]): entry for entry in metrics.to_pylist()}
    table = Table(caption="percent; in brackets the 95% interval, bootstrap over videos (paired for the lead)")
    table.add_column("")
    for metric in METRICS:
        table.add_column(metric, justify="right")
    for row, words in ROWS.items():
        cells = [_cell(found[row, metric], signed=row == "lead") for metric in METRICS]
        table.add_row(words, *cells, style="bold" if row == "model" else None)
    return table


def _cell(entry: dict[str, float], *, signed: bool) -> str:
    sign = "+" if signed else ""
    value = f"{entry['value']:{sign}.1f}"
    if math.isnan(entry["low"]):
        return value
    return f"{value} ({entry['low']:{sign}.1f} to {entry['high']:{sign}.1f})"
