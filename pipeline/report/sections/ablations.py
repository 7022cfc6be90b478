"""Ablations and controls: the tables of `m3a ablate`, with the published figures in columns of their own."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.ablate import tables
from pipeline.ablate.result import Line, Result
from pipeline.ablate.statistics import Figure


class Row(NamedTuple):
    """A row of a table."""

    label: str
    tuning: str
    settings: str
    """Hyperparameters chosen by tuning."""
    failed: str
    figures: list[Figure]
    """By column; none where it failed."""
    apart: list[bool]
    """Whether each differs from the first row's beyond its interval, the first that did not fail."""
    published: list[str]
    """By source; top-1 / top-5 / mAP."""


class Table(NamedTuple):
    """An ablation in one mode."""

    anchor: str
    ablation: str
    title: str
    mode: str
    """How its rows were trained, in words."""
    data: str
    note: str
    budget: str
    """Of the tuning of every row; empty where there was none."""
    seeds: int
    metrics: list[str]
    sources: list[str]
    rows: list[Row]
    achievable: list[float | None]
    """By metric, what the best possible ranking reaches; None where that is not known."""
    sample: bool
    """Whether it is the bundled sample's, which shows less."""


def ablations(results: Sequence[Result]) -> list[Table]:
    """Every table, in the order of the paper; joint training before frozen features."""
    return [_table(result) for result in results]


def _table(result: Result) -> Table:
    return Table(
        anchor=result.name,
        ablation=result.ablation,
        title=result.title,
        mode=tables.MODES[result.mode],
        data=result.measured_on,
        note=result.note,
        budget=result.budget,
        seeds=result.seeds,
        metrics=list(tables.SHOWN.values()),
        sources=result.sources,
        rows=[_row(line, result.sources) for line in result.lines],
        achievable=[result.achievable.get(metric) for metric in tables.SHOWN],
        sample=result.data.startswith("sample"),
    )


def _row(line: Line, sources: Sequence[str]) -> Row:
    figures = [line.figures[metric] for metric in tables.SHOWN] if line.figures else []
    published = [tables.published(line, source) for source in sources]
    return Row(
        line.label, line.tuning, line.settings, line.failed, figures, [figure.apart for figure in figures], published
    )
