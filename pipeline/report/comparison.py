"""Two runs on one page: parameters that differ, metrics, gain per action, learning curves."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.explain import boosts
from pipeline.foundations.runtime.errors import PlainError
from pipeline.metrics import intervals
from pipeline.report.figures.curves import Panel, overlaid
from pipeline.report.run_tables import CURVES
from pipeline.report.runs import PARAMS, PREDICTIONS, Run
from pipeline.report.sections.result import ABOUT, Figure
from pipeline.report.templating import filled

OPEN = "not set"


class Setting(NamedTuple):
    """A parameter in which the two runs differ."""

    key: str
    first: str
    second: str


class Line(NamedTuple):
    """One metric of both, and the second's lead."""

    name: str
    about: str
    first: Figure
    second: Figure
    lead: Figure


class Gain(NamedTuple):
    """The average precision of one action under both."""

    action: str
    positives: int
    first: float
    second: float
    lead: Figure


class Comparison(NamedTuple):
    """Everything that the page says."""

    first: str
    second: str
    settings: list[Setting]
    videos: int
    """Scored by both."""
    alone: int
    """Scored by one of them; left out."""
    lines: list[Line]
    gains: list[Gain]
    """The largest first; actions without a video are left out."""
    span: float
    """The largest bound of their intervals; points."""
    panels: list[Panel]


def compare(first: Run, second: Run, *, bootstrap: int, seed: int) -> Comparison:
    """Compare two runs on the videos that both have scored.

    Args:
        first: the reference.
        second: compared with it; leads are second minus first.
        bootstrap: draws of videos for the intervals; both runs are measured on the same draws.
        seed: of the draws.

    Raises:
        PlainError: they are the same run, have different actions or labels, or share no video.
    """
    if first.name == second.name:
        raise PlainError(f"{first.name} was given twice: give two runs to compare")
    if first.actions != second.actions:
        raise PlainError(
            f"{second.name} has {len(second.actions)} actions and {first.name} other ones, "
            f"{len(first.actions)} of them: runs on different data cannot be compared"
        )
    shared = boosts.compare(second.predictions, first.predictions, named=first.name)
    draws_BR = intervals.draw(len(shared.targets), bootstrap, seed)
    theirs, ours = (intervals.measure(scores, shared.targets, draws_BR) for scores in (shared.theirs, shared.ours))
    before, after, leads = intervals.estimates(theirs), intervals.estimates(ours), intervals.leads(ours, theirs)
    gains = _gains(boosts.boosts(shared, bootstrap=bootstrap, seed=seed), first.actions)
    bounds = [abs(bound) for gain in gains for bound in gain.lead if not np.isnan(bound)]
    return Comparison(
        first=first.name,
        second=second.name,
        settings=_settings(first.params, second.params),
        videos=len(shared.video_ids),
        alone=first.predictions.num_rows + second.predictions.num_rows - 2 * len(shared.video_ids),
        lines=[
            Line(name, about, Figure(*before[name]), Figure(*after[name]), Figure(*leads[name]))
            for name, about in ABOUT.items()
        ],
        gains=gains,
        span=max(bounds, default=1.0) or 1.0,
        panels=overlaid({second.name: second.curves, first.name: first.curves}),
    )


def render(pair: Comparison) -> str:
    """The page, as HTML: the same bytes each time."""
    files = {"predictions": PREDICTIONS, "params": PARAMS, "curves": CURVES}
    return filled("compare.html.jinja", {"pair": pair, "files": files, "files_of": {}}) + "\n"


def to_json(pair: Comparison) -> dict[str, Any]:
    """Everything but the curves as JSON values; an unknown bound is null."""
    plain = {name: value for name, value in pair._asdict().items() if name not in ("panels", "span")}
    rows = {name: [_plain_row(row) for row in plain[name]] for name in ("settings", "lines", "gains")}
    return plain | rows


def _plain_row(row: NamedTuple) -> dict[str, Any]:
    plain = row._asdict()
    figures = {key: value._asdict() for key, value in plain.items() if isinstance(value, Figure)}
    known = {key: {k: None if v != v else v for k, v in figure.items()} for key, figure in figures.items()}
    return plain | known


def _gains(table: pa.Table, names: Sequence[str]) -> list[Gain]:
    rows = [row for row in table.to_pylist() if row["positives"]]
    rows.sort(key=lambda row: -row["boost"])
    return [
        Gain(
            names[row["action_id"]],
            row["positives"],
            row["baseline"],
            row["model"],
            Figure(row["boost"], row["low"], row["high"]),
        )
        for row in rows
    ]


def _settings(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Setting]:
    keys = [*first, *(key for key in second if key not in first)]
    pairs = [(key, _plain(first, key), _plain(second, key)) for key in keys]
    return [Setting(*pair) for pair in pairs if pair[1] != pair[2]]


def _plain(params: Mapping[str, Any], key: str) -> str:
    if key not in params:
        return OPEN
    value = params[key]
    return "null" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
