"""Forms on a plane, by their two directions of largest variance."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from sklearn.decomposition import PCA

from pipeline.report.figures.svg import ACCENT, INK, drawing, to_svg

LABELLED = 60
"""Points up to which each is named."""
SIZE = 8.0
"""Of a name, in points."""


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
        figure.draw_without_rendering()  # settles the axes, which the labels are placed by
        if len(names) <= LABELLED:
            label_points(axes, points_N2, names)
        return to_svg(figure, name=name, about=about)


def label_points(axes: Any, points_N2: np.ndarray, names: Sequence[str]) -> None:
    """Name each point beside it, on the side where the fewest names, points and borders are in the way."""
    points = 72 / axes.figure.dpi
    places = axes.transData.transform(points_N2) * points
    left, bottom, right, top = np.array(axes.bbox.extents) * points
    far = 1e4
    taken = [_Box(left - far, -far, left, far), _Box(right, -far, right + far, far)]
    taken += [_Box(-far, bottom - far, far, bottom), _Box(-far, top, far, top + far)]
    taken += [_Box(x - 3, y - 3, x + 3, y + 3) for x, y in places]
    for label, point, (x, y) in zip(names, points_N2, places, strict=True):
        width, height = 0.58 * SIZE * len(label), SIZE
        sides = {
            "right": (5, -height / 2),
            "left": (-5 - width, -height / 2),
            "above": (-width / 2, 5),
            "below": (-width / 2, -5 - height),
        }
        boxes = {side: _Box(x + dx, y + dy, x + dx + width, y + dy + height) for side, (dx, dy) in sides.items()}
        side = min(boxes, key=lambda name: sum(boxes[name].meets(other) for other in taken))
        taken.append(boxes[side])
        dx, dy = sides[side]
        axes.annotate(label, point, (dx, dy + 1.5), textcoords="offset points", fontsize=SIZE, color=INK)


class _Box(NamedTuple):
    """A rectangle in points."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: "_Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )
