"""Actions on a plane, some of them marked: one drawing a layer (Figure 4, a to c)."""

from collections.abc import Collection, Sequence

import numpy as np
from markupsafe import Markup

from pipeline.report.figures.scatter import label_points
from pipeline.report.figures.svg import ACCENT, MUTED, drawing, to_svg


def marked(points_N2: np.ndarray, names: Sequence[str], chosen: Collection[int], *, name: str, about: str) -> Markup:
    """N points, of which the chosen are drawn large and named.

    Args:
        points_N2: places on the plane.
        names: of all points.
        chosen: which are marked, by number.
        name: unique on the page.
        about: text alternative, for screen readers.
    """
    picked = sorted(chosen)
    others = [number for number in range(len(points_N2)) if number not in chosen]
    with drawing(3.5, 3.1) as (figure, axes):
        axes.scatter(*points_N2[others].T, s=12, color=MUTED, alpha=0.55, linewidth=0)
        axes.scatter(*points_N2[picked].T, s=44, color=ACCENT, linewidth=0, zorder=3)
        axes.margins(0.16, 0.1)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
        figure.draw_without_rendering()  # fixes the axes' limits, by which labels are placed
        label_points(axes, points_N2[picked], [names[number] for number in picked])
        return to_svg(figure, name=name, about=about)
