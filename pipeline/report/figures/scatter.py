"""Forms on a plane, by their first two principal components."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from sklearn.decomposition import PCA

from pipeline.report.figures.svg import ACCENT, INK, drawing, to_svg

LABELLED = 60
"""Points up to which each is named."""
SIZE = 8.0
"""Of a name, in points."""
MARGIN = 2.0
"""Between a name and the frame, in points."""


def plane(forms_ND: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first two principal components of N forms (N x 2), and the parts of the variance that they explain.

    Raises:
        ValueError: fewer than two forms, or of fewer than two dimensions.
    """
    pca = PCA(n_components=2, svd_solver="full")
    points = pca.fit_transform(forms_ND.astype(np.float64))
    return points, np.asarray(pca.explained_variance_ratio_)


def scatter(points_N2: np.ndarray, explained: np.ndarray, names: Sequence[str], *, name: str, about: str) -> Markup:
    """Named points on the plane."""
    with drawing(5.4, 4.3) as (figure, axes):
        axes.scatter(*points_N2.T, s=18, color=ACCENT)
        axes.margins(0.2, 0.1)
        axes.set(xticks=[], yticks=[])
        axes.set_xlabel(f"first component, {100 * explained[0]:.0f}% of the variance")
        axes.set_ylabel(f"second component, {100 * explained[1]:.0f}%")
        axes.spines[:].set_visible(True)
        figure.draw_without_rendering()  # fixes the axes' limits, by which labels are placed
        if len(names) <= LABELLED:
            label_points(axes, points_N2, names)
        return to_svg(figure, name=name, about=about)


def label_points(axes: Any, points_N2: np.ndarray, names: Sequence[str]) -> None:
    """Name each point beside it, within the frame, on the side where the fewest names and points are in the way."""
    points = 72 / axes.figure.dpi
    places = axes.transData.transform(points_N2) * points
    frame = Box(*(np.array(axes.bbox.extents) * points))
    taken = [Box(x - 3, y - 3, x + 3, y + 3) for x, y in places]
    for label, point, (x, y) in zip(names, points_N2, places, strict=True):
        width, height = _width(label), SIZE
        across, up = (5, -width / 2, -5 - width), (5, -height / 2, -5 - height)
        sides = [(dx, dy) for dx in across for dy in up if (dx, dy) != (across[1], up[1])]
        sides.sort(key=lambda side: side[1] != up[1])  # right and left first
        boxes = [Box(x + dx, y + dy, x + dx + width, y + dy + height).within(frame) for dx, dy in sides]
        box = min(boxes, key=lambda one: sum(one.meets(other) for other in taken))
        taken.append(box)
        offset = (box.left - x, box.bottom - y + 1.5)
        axes.annotate(label, point, offset, textcoords="offset points", fontsize=SIZE, color=INK)


def _width(label: str) -> float:
    """Of a name in matplotlib's own font, which is wider than those of pages; points."""
    return float(TextPath((0, 0), label, size=SIZE, prop=FontProperties(family="DejaVu Sans")).get_extents().width)


class Box(NamedTuple):
    """A rectangle in points."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: "Box") -> bool:
        """Whether the two share some area."""
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def within(self, frame: "Box") -> "Box":
        """Moved into a frame, as far as it is no larger than that."""
        right = max(frame.left + MARGIN - self.left, min(0.0, frame.right - MARGIN - self.right))
        up = max(frame.bottom + MARGIN - self.bottom, min(0.0, frame.top - MARGIN - self.top))
        return Box(self.left + right, self.bottom + up, self.right + right, self.top + up)
