"""Forms on a plane, by their two directions of largest variance."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from sklearn.decomposition import PCA

from pipeline.report.figures.svg import ACCENT, INK, drawing, to_svg

LABELLED = 60


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
        if len(names) <= LABELLED:
            for label, (x, y) in zip(names, points_N2, strict=True):
                axes.annotate(label, (x, y), (4, 3), textcoords="offset points", fontsize=8, color=INK)
        axes.set_xlabel(f"first component, {100 * explained[0]:.0f}% of the variance")
        axes.set_ylabel(f"second, {100 * explained[1]:.0f}%")
        axes.margins(0.12)
        return to_svg(figure, name=name, about=about)
