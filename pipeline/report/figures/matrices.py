"""Heat maps of actions against actions, ordered so that similar ones are neighbours."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from pipeline.report.figures.svg import LINE, SECOND, drawing, heat, to_svg

LABELLED = 40
"""Actions up to which rows and columns carry names."""


def order_of(similarity_NN: np.ndarray) -> np.ndarray:
    """An order of N actions with similar ones together: the leaves of average-linkage clustering.

    Args:
        similarity_NN: 0 to 1; made symmetric here, NaN taken as 0.
    """
    if len(similarity_NN) < 3:
        return np.arange(len(similarity_NN))
    known = np.nan_to_num(similarity_NN)
    distances = 1.0 - np.clip((known + known.T) / 2, 0, 1)
    np.fill_diagonal(distances, 0.0)
    tree = linkage(squareform(distances, checks=False), method="average", optimal_ordering=True)
    return np.asarray(leaves_list(tree))


def cosine(forms_ND: np.ndarray) -> np.ndarray:
    """Cosine similarities of N forms; NaN where a form is absent (NaN) or zero."""
    lengths = np.linalg.norm(forms_ND, axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        directions = forms_ND / np.where(lengths > 0, lengths, np.nan)
    return np.asarray(directions @ directions.T)


def heat_map(
    values_NN: np.ndarray,
    names: Sequence[str],
    *,
    name: str,
    about: str,
    marked: np.ndarray | None = None,
) -> Markup:
    """A heat map of N x N values from 0 to 1, rows against columns.

    Args:
        values_NN: in the order to be drawn.
        names: of the actions in that order.
        name: unique on the page.
        about: text alternative, for screen readers.
        marked: N x N booleans; cells to frame.
    """
    actions = len(names)
    with drawing(5.4, 5.4) as (figure, axes):
        axes.imshow(heat(values_NN, top=1.0), interpolation="none", aspect="equal")
        axes.grid(visible=False)
        axes.spines[:].set_visible(True)
        ticks = range(actions) if actions <= LABELLED else []
        size = 8.5 if actions <= 26 else 6.5
        axes.set_xticks(ticks, names[: len(ticks)], rotation=90, fontsize=size)
        axes.set_yticks(ticks, names[: len(ticks)], fontsize=size)
        axes.tick_params(length=0, top=True, bottom=False, labeltop=True, labelbottom=False)
        if actions <= LABELLED:
            axes.set_xticks(np.arange(actions - 1) + 0.5, minor=True)
            axes.set_yticks(np.arange(actions - 1) + 0.5, minor=True)
            axes.grid(which="minor", color=LINE, linewidth=0.5)
            axes.tick_params(which="minor", length=0)
        if marked is not None:
            rows, columns = np.nonzero(marked)
            axes.scatter(columns, rows, marker="s", s=_cell(actions), facecolors="none", edgecolors=SECOND, lw=1.1)
        return to_svg(figure, name=name, about=about)


def _cell(actions: int) -> float:
    """A marker's area, in square points, that fills a cell."""
    return float((5.4 * 72 * 0.72 / actions) ** 2 * 0.85)
