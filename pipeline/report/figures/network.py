"""The graph of co-occurring actions on a circle: an arrow from i to j where P(j | i) passes the threshold."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.patches import FancyArrowPatch

from pipeline.report.figures.svg import ACCENT, INK, SECOND, drawing, to_svg

CROWDED = 120
"""Edges from which on each is drawn lighter, the more there are."""


class Edge(NamedTuple):
    """An arrow of the graph, by places on the circle."""

    source: int
    target: int
    psi: float


def network(names: Sequence[str], edges: Sequence[Edge], *, name: str, about: str) -> Markup:
    """Actions around a circle, in the given order, and the arrows between them, stronger where psi is.

    An arrow that goes both ways is drawn in one colour, one that goes only one way in another.
    """
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(names)) / max(len(names), 1)
    places = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    both = {(edge.source, edge.target) for edge in edges}
    size = float(np.interp(len(names), [20, 60, 150], [9, 6.5, 4]))
    weight = min(1.0, (CROWDED / max(len(edges), 1)) ** 0.5)
    with drawing(5.4, 5.4) as (figure, axes):
        for edge in edges:
            mutual = (edge.target, edge.source) in both
            colour = ACCENT if mutual else SECOND
            axes.add_patch(_arrow(places[edge.source], places[edge.target], edge.psi * weight, colour))
        axes.scatter(*places.T, s=2.2 * size, color=INK, zorder=3)
        for label, angle, place in zip(names, angles, places, strict=True):
            _label(axes, label, angle, place, size)
        axes.set(xlim=(-1.62, 1.62), ylim=(-1.62, 1.62), aspect="equal")
        axes.axis("off")
        return to_svg(figure, name=name, about=about)


def _arrow(start: np.ndarray, end: np.ndarray, strength: float, colour: str) -> FancyArrowPatch:
    return FancyArrowPatch(
        tuple(start * 0.97),
        tuple(end * 0.97),
        connectionstyle=f"arc3,rad={0.25 * _turn(start, end):.4f}",
        arrowstyle="-|>,head_length=3.6,head_width=1.8",
        mutation_scale=1.0,
        color=colour,
        linewidth=0.3 + 1.8 * strength,
        alpha=0.2 + 0.75 * strength,
        shrinkA=2,
        shrinkB=2,
    )


def _turn(start: np.ndarray, end: np.ndarray) -> float:
    """Which way an arrow bends: towards the middle of the circle."""
    return 1.0 if start[0] * end[1] - start[1] * end[0] < 0 else -1.0


def _label(axes: Any, label: str, angle: float, place: np.ndarray, size: float) -> None:
    """A name beside its place, along the circle's radius and never upside down."""
    right = np.cos(angle) >= -1e-9
    axes.text(
        *(place * 1.05),
        label,
        rotation=float(np.degrees(angle)) if right else float(np.degrees(angle)) + 180,
        rotation_mode="anchor",
        ha="left" if right else "right",
        va="center",
        fontsize=size,
    )
