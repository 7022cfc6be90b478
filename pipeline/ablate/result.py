"""An ablation's results as a CSV file, one line for each row and metric, which tables and the report are made from."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from pipeline.ablate.published import published
from pipeline.ablate.rows import ABLATIONS
from pipeline.ablate.statistics import Figure
from pipeline.foundations.params.choices import DatasetSource
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.metrics.intervals import Estimate
from pipeline.metrics.metrics import METRICS

FOLDER = Path("data/ablations")
COLUMNS = (
    "ablation", "mode", "data", "row", "label", "metric", "seeds", "mean", "spread", "low", "high",
    "lead", "lead_low", "lead_high", "lead_seeds", "achievable", "published", "failed",
    "tuning", "settings", "budget", "labels",
)  # fmt: skip
DECIMALS = 4


Role = Literal["", "tuned", "untuned"]
"""Of a row: empty where the table was not tuned."""


Labels = Literal["", "unimplied", "activities"]
LABELS: Mapping[Labels, str] = {
    "unimplied": "without labels that another label of the video implies (P of 0.95 or more in training)",
    "activities": "labels that are activities alone",
}
"""Parts of a vocabulary that a table is measured on again (`pipeline.ablate.labels`), in words."""


class Line(NamedTuple):
    """A row of the table."""

    row: str
    label: str
    figures: dict[str, Figure]
    """By metric; none where it failed."""
    published: dict[str, dict[str, float]]
    """By source and data set, then by metric."""
    failed: str
    """Why, or empty."""
    tuning: Role = ""
    settings: str = ""
    """Settings of the row; of a tuned one also the numbers of trials and of diverged ones."""


class Result(NamedTuple):
    """A table."""

    ablation: str
    mode: Literal["joint", "frozen"]
    data: str
    """The data set and the split that was scored."""
    lines: tuple[Line, ...]
    achievable: dict[str, float]
    """By metric, the best possible value on the bundled sample, in percent; empty where it is not known."""
    budget: str = ""
    """Of the tuning of every row, in words; empty where the table was not tuned."""
    labels: Labels = ""
    """Those that are measured; empty where all are."""

    @property
    def name(self) -> str:
        """Of its files; of imported features, with their folder's name, so that data sets stand side by side."""
        source = self.data.partition(",")[0]
        own = "" if source in get_args(DatasetSource) else f"-{source}"
        part = f"-{self.labels}" if self.labels else ""
        return f"{self.ablation}-{self.mode}{'-tuned' if self.budget else ''}{own}{part}"

    @property
    def measured_on(self) -> str:
        """The data set, the split and the labels, in words."""
        return f"{self.data}, {LABELS[self.labels]}" if self.labels else self.data

    @property
    def title(self) -> str:
        """Of the ablation."""
        return ABLATIONS[self.ablation].title

    @property
    def note(self) -> str:
        """What to keep in mind."""
        return ABLATIONS[self.ablation].note

    @property
    def seeds(self) -> int:
        """The most that a row has."""
        return max((figure.seeds for line in self.lines for figure in line.figures.values()), default=0)

    def first(self, tuning: Role = "") -> Line | None:
        """The reference row of a role: the first that did not fail; None if all did."""
        return next((line for line in self.lines if line.figures and line.tuning == tuning), None)

    @property
    def sources(self) -> list[str]:
        """Of the published figures, in the order of the table."""
        return list(dict.fromkeys(source for line in self.lines for source in line.published))


def line(
    ablation: str,
    row: str,
    label: str,
    figures: Mapping[str, Figure] | None,
    failed: str,
    *,
    tuning: Role = "",
    settings: str = "",
) -> Line:
    """A row with its published results."""
    known = {
        source: {name: value for name in METRICS if (value := getattr(entry, name, None)) is not None}
        for source, entry in published(ablation, row).items()
    }
    return Line(row, label, dict(figures or {}), known, failed, tuning, settings)


def write(result: Result, folder: Path = FOLDER) -> Path:
    """Write the CSV file; returns its path."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in result.lines:
        head = (result.ablation, result.mode, result.data, entry.row, entry.label)
        for metric in METRICS:
            told = {source: values[metric] for source, values in entry.published.items() if metric in values}
            best = round(result.achievable[metric], DECIMALS) if metric in result.achievable else ""
            cells = [*head, metric, *_numbers(entry.figures.get(metric)), best, _packed(told)]
            writer.writerow([*cells, entry.failed, entry.tuning, entry.settings, result.budget, result.labels])
    path = folder / f"{result.name}.csv"
    files.write_text(path, text.getvalue())
    return path


def read(path: Path) -> Result:
    """Read a CSV file that `write` wrote.

    Raises:
        PlainError: it is not one.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        first = rows[0]
        lines = tuple(_line(rows[start : start + len(METRICS)]) for start in range(0, len(rows), len(METRICS)))
        if first["ablation"] not in ABLATIONS or first["mode"] not in ("joint", "frozen"):
            raise ValueError(first["ablation"])
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise PlainError(f"{path}: not a table of `m3a ablate`: {error}; run it again") from error
    achievable = {row["metric"]: float(row["achievable"]) for row in rows[: len(METRICS)] if row["achievable"]}
    mode: Literal["joint", "frozen"] = "joint" if first["mode"] == "joint" else "frozen"
    labels: Labels = next((name for name in LABELS if name == first["labels"]), "")
    return Result(first["ablation"], mode, first["data"], lines, achievable, first["budget"], labels)


def read_all(folder: Path) -> list[Result]:
    """Every table of a folder, in the order of the paper, real data first, joint training first, tuned before untuned.

    Raises:
        PlainError: a CSV file there is not one of `write`.
    """
    order = list(ABLATIONS)
    found = [read(path) for path in sorted(folder.glob("*.csv"))]

    def place(result: Result) -> tuple[int, bool, bool, bool]:
        sample = result.data.startswith("sample")
        return order.index(result.ablation), sample, result.mode != "joint", not result.budget

    return sorted(found, key=place)


def _numbers(figure: Figure | None) -> Sequence[object]:
    if figure is None:
        return [0, *[""] * 8]
    lead = figure.lead or ("", "", "")
    values = (figure.mean, figure.spread, figure.interval.low, figure.interval.high, *lead)
    numbers = ("" if value == "" or math.isnan(value) else round(value, DECIMALS) for value in values)
    return [figure.seeds, *numbers, figure.lead_seeds]


def _packed(told: Mapping[str, float]) -> str:
    return "; ".join(f"{source}: {value}" for source, value in told.items())


def _line(rows: Sequence[Mapping[str, str]]) -> Line:
    told: dict[str, dict[str, float]] = {}
    for row in rows:
        for entry in filter(None, row["published"].split("; ")):
            source, _, value = entry.rpartition(": ")
            told.setdefault(source, {})[row["metric"]] = float(value)
    figures = {row["metric"]: _figure(row) for row in rows if int(row["seeds"])}
    first = rows[0]
    tuning: Role = "tuned" if first["tuning"] == "tuned" else "untuned" if first["tuning"] else ""
    return Line(first["row"], first["label"], figures, told, first["failed"], tuning, first["settings"])


def _figure(row: Mapping[str, str]) -> Figure:
    mean, spread, low, high = (float(row[name] or "nan") for name in ("mean", "spread", "low", "high"))
    lead = Estimate(*(float(row[name]) for name in ("lead", "lead_low", "lead_high"))) if row["lead"] else None
    return Figure(int(row["seeds"]), mean, spread, Estimate(mean, low, high), lead, int(row["lead_seeds"]))
