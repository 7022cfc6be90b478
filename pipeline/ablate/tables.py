"""A result as Markdown and LaTeX: figures, differences to the first row, published numbers."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.ablate.result import Line, Result
from pipeline.ablate.statistics import Figure

SHOWN = {"map_sample": "mAP (by video)", "map_action": "mAP (by action)", "top1": "top-1", "top5": "top-5"}
"""Metrics in the tables; the CSV file has all."""
PUBLISHED = ("top1", "top5", "map_sample")
MODES = {
    "joint": "trained jointly with the 3D-CNN",
    "frozen": "heads alone, trained on frozen features: not the paper's joint training",
}

ONE_SEED = "With one seed training noise is not in the interval, so no difference is told apart from 0"


class Grid(NamedTuple):
    """A table as text: headings and rows."""

    heading: list[str]
    rows: list[list[str]]


def caption(result: Result) -> str:
    """The caption, without the table's title."""
    seeds = result.seeds
    mode = MODES[result.mode]
    spread = "± their standard deviation, " if seeds > 1 else ""
    best = ", ".join(f"{name} {result.achievable[metric]:.1f}" for metric, name in SHOWN.items() if result.achievable)
    tuning = f" {result.budget}" if result.budget else ""
    limit = f" In square brackets, the percentage of what perfect sight can reach: {best}." if best else ""
    return (
        f"{mode[0].upper()}{mode[1:]}. {result.measured_on}, percent: mean over {seeds} "
        f"{'seed' if seeds == 1 else 'seeds'}, {spread}in brackets the 95% interval of the mean over "
        f"{'videos and seeds' if seeds > 1 else f'videos. {ONE_SEED}'}.{limit}{tuning}"
    )


def measured(result: Result) -> Grid:
    """Each row's figures, with published ones in separate columns."""
    sources = result.sources
    tuned = bool(result.budget)
    heading = [
        "",
        *(["settings"] if tuned else []),
        *SHOWN.values(),
        *(f"{source}: top-1 / top-5 / mAP" for source in sources),
    ]
    rows = []
    for line in result.lines:
        cells = [_failed(line)] + [""] * (len(SHOWN) - 1)
        if not line.failed:
            cells = [cell(line.figures[metric], result.achievable.get(metric)) for metric in SHOWN]
        label = f"{line.label}, {line.tuning}" if tuned else line.label
        rows.append(
            [label, *([line.settings] if tuned else []), *cells, *(published(line, source) for source in sources)]
        )
    return Grid(heading, rows)


def differences(result: Result) -> list[Grid]:
    """Each row's lead over the first that did not fail, paired, in percentage points; of tuned and of untuned rows."""
    grids = []
    for tuning in dict.fromkeys(line.tuning for line in result.lines):
        first = result.first(tuning)
        others = [line for line in result.lines if line.figures and line.tuning == tuning and line is not first]
        rows = [[line.label, *(lead(line.figures[metric]) for metric in SHOWN)] for line in others]
        role = f"{tuning}, " if tuning else ""
        if first and rows:
            grids.append(Grid([f"{role}difference to: {first.label}", *SHOWN.values()], rows))
    return grids


def markdown(result: Result) -> str:
    """The result as Markdown."""
    parts = [f"## {result.title}", caption(result), _markdown(measured(result))]
    if told := differences(result):
        parts += ["In percentage points, paired on the same videos; told apart from 0 where in bold:"]
        parts += [_markdown(grid) for grid in told]
    return "\n\n".join([*parts, result.note]) + "\n"


def latex(result: Result) -> str:
    """The result as a LaTeX table; plain tabular, no package."""
    body = [_latex(grid) for grid in (measured(result), *differences(result))]
    text, about = "\n\n\\medskip\n\n".join(body), _escaped(f"{_sentence(result.title)} {caption(result)}")
    return f"\\begin{{table}}\n\\centering\\small\n{text}\n\\caption{{{about}}}\n\\end{{table}}\n"


def cell(figure: Figure, achievable: float | None = None) -> str:
    """A figure: mean, spread, interval, and percentage of the best possible value where that is known."""
    spread = "" if math.isnan(figure.spread) else f" ± {figure.spread:.1f}"
    part = "" if achievable is None else f" [{100 * figure.mean / achievable:.0f}%]"
    return f"{figure.mean:.1f}{spread} ({figure.interval.low:.1f} to {figure.interval.high:.1f}){part}"


def lead(figure: Figure) -> str:
    """A difference with its interval; bold where both rows have several seeds and the interval leaves out 0."""
    if figure.lead is None:
        return "other videos"
    text = f"{figure.lead.value:+.1f} ({figure.lead.low:+.1f} to {figure.lead.high:+.1f})"
    return f"**{text}**" if figure.apart else text


def _failed(line: Line) -> str:
    return f"failed: {line.failed}"


def published(line: Line, source: str) -> str:
    """Published results of a row by one source: top-1 / top-5 / mAP; empty where there are none."""
    told = line.published.get(source)
    return " / ".join(str(told.get(metric, "-")) for metric in PUBLISHED) if told else ""


def _sentence(title: str) -> str:
    return title if title.endswith("?") else f"{title}."


def _markdown(grid: Grid) -> str:
    rules = [":---"] + ["---:"] * (len(grid.heading) - 1)
    rows: Sequence[Sequence[str]] = [grid.heading, rules, *grid.rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)


def _latex(grid: Grid) -> str:
    lines = [" & ".join(_latex_cell(cell) for cell in row) + r" \\" for row in (grid.heading, *grid.rows)]
    spec = "l" + "r" * (len(grid.heading) - 1)
    return "\n".join(
        [f"\\begin{{tabular}}{{{spec}}}", "\\hline", lines[0], "\\hline", *lines[1:], "\\hline", "\\end{tabular}"]
    )


def _latex_cell(text: str) -> str:
    if text.startswith("**"):
        return f"\\textbf{{{_escaped(text.strip('*'))}}}"
    return _escaped(text)


def _escaped(text: str) -> str:
    for sign, written in (
        ("\\", r"\textbackslash{}"),
        ("_", r"\_"),
        ("%", r"\%"),
        ("&", r"\&"),
        ("#", r"\#"),
        ("±", r"$\pm$"),
    ):
        text = text.replace(sign, written)
    return text
