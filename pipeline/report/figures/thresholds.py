"""Edges of a graph by threshold."""

from collections.abc import Sequence

from markupsafe import Markup

from pipeline.report.figures.svg import ACCENT, INK, MUTED, SECOND, drawing, to_svg


def threshold_curves(steps: Sequence[tuple[float, int, int]], chosen: float) -> Markup:
    """Edges and isolated actions by threshold; a line at the chosen threshold.

    Args:
        steps: threshold, edges and actions without an edge, by rising threshold.
        chosen: the threshold that is used.
    """
    thresholds, edges, isolated = zip(*steps, strict=True)
    with drawing(5.4, 3.2) as (figure, axes):
        axes.plot(thresholds, edges, color=ACCENT, marker="o", ms=3, label="edges")
        axes.plot(thresholds, isolated, color=SECOND, marker="s", ms=3, linestyle="--", label="actions without one")
        axes.axvline(chosen, color=MUTED, linewidth=1)
        axes.set_yscale("symlog", linthresh=10)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("threshold of psi")
        axes.legend(fontsize=8.5, labelcolor=INK)
        about = f"Edges fall from {edges[0]:,} at {thresholds[0]:g} to {edges[-1]:,} at {thresholds[-1]:g}"
        return to_svg(figure, name="thresholds", about=about)
