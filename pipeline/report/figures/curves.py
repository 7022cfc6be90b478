"""Learning curves: one panel for the loss, one for the validation metrics, one for each other curve."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from pipeline.report.figures.svg import ACCENT, INK, MUTED, SECOND, drawing, to_svg

Curve = Sequence[tuple[int, float]]
COLOURS = (ACCENT, SECOND, MUTED, INK)
STYLES = ("-", "--", ":", "-.")


class Panel(NamedTuple):
    """A figure with its title."""

    title: str
    svg: Markup
    names: list[str]
    """Of the curves in it."""


def panels(curves: Mapping[str, Curve]) -> list[Panel]:
    """Every curve, those in percent of the validation split together.

    Args:
        curves: by name as training logged them (`train/loss`, `val/map_sample`), as epoch and value.
    """
    validation = {name: curve for name, curve in curves.items() if name.startswith("val/") and "loss" not in name}
    groups = {name.split("/")[-1].replace("_", " "): {name: curve} for name, curve in curves.items()}
    losses = {name: curve for name, curve in curves.items() if name.endswith("loss")}
    rest = {title: group for title, group in groups.items() if not group.keys() & (validation.keys() | losses.keys())}
    ordered = {"loss": losses, "validation, percent": validation, **rest}
    return [_panel(title, group, _labels(list(group))) for title, group in ordered.items() if group]


def overlaid(runs: Mapping[str, Mapping[str, Curve]]) -> list[Panel]:
    """One panel for each curve, with the lines of all runs, as in `dvc plots diff`.

    Args:
        runs: curves by name, by run.
    """
    found = []
    for name in sorted({name for curves in runs.values() for name in curves}):
        group = {run: curves[name] for run, curves in runs.items() if name in curves}
        found.append(_panel(name, group, list(group)))
    return found


def _panel(title: str, group: Mapping[str, Curve], labels: Sequence[str]) -> Panel:
    name = "curve-" + "".join(letter if letter.isalnum() else "-" for letter in title)
    with drawing(4.1, 2.7) as (figure, axes):
        for place, (label, curve) in enumerate(zip(labels, group.values(), strict=True)):
            style = {"color": COLOURS[place % 4], "linestyle": STYLES[place // 4 % 4]}
            epochs, values = zip(*curve, strict=True)
            axes.plot(epochs, values, label=label, marker="o" if len(curve) < 12 else None, ms=3, **style)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(visible=False, axis="x")
        if len(group) > 1:
            axes.legend(fontsize=8.5, ncols=2, loc="best", labelcolor=INK)
        about = f"{title} over epochs: {', '.join(f'{key} ends at {curve[-1][1]:.4g}' for key, curve in group.items())}"
        return Panel(title, to_svg(figure, name=name, about=about), list(group))


def _labels(names: Sequence[str]) -> list[str]:
    """Labels of a panel's curves: the metric, or the split where the metric is the same."""
    splits, metrics = zip(*(name.rpartition("/")[::2] for name in names), strict=True)
    return list(splits if len(set(metrics)) == 1 and len(names) > 1 else metrics)
