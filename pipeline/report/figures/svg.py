"""Matplotlib figures as SVG that lives in a page: themed by its style sheet, the same bytes each time.

Placeholder colours become the page's CSS variables, so that one drawing serves the light and the dark theme. Text
stays text, in the page's font.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup, escape
from matplotlib import style
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, MUTED, LINE, ACCENT, SECOND, PAPER = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
_VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", ACCENT: "accent", SECOND: "second", PAPER: "paper"}
_HEAT = (0.20, 0.42, 0.88)  # one blue for both themes; a cell's value is its opacity

_STYLE = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],  # measured with matplotlib's font, shown in the page's
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


@contextmanager
def drawing(width: float, height: float) -> Iterator[tuple[Figure, Any]]:
    """Yield a figure (inches) and its axes in the page's style, whatever the user's matplotlibrc says."""
    with style.context(["default", _STYLE]):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        yield figure, figure.add_subplot()


def to_svg(figure: Figure, *, name: str, about: str) -> Markup:
    """An inline SVG element.

    Args:
        figure: the drawing, made within `drawing`.
        name: unique on the page; every id within starts with it.
        about: text alternative, for screen readers.
    """
    buffer = StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue(), name, about)


def _inline(text: str, name: str, about: str) -> Markup:
    """Reduce a standalone SVG file to an inline element."""
    body = text[text.index("<svg ") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    box = re.search(r'viewBox="([^"]+)"', body)
    head = f'<svg viewBox="{box[1] if box else ""}" role="img" aria-label="{escape(about)}">'
    body = re.sub(r"<svg [^>]*>", lambda _: head, body, count=1, flags=re.DOTALL)
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", body)
    body = body.replace("font-family: 'DejaVu Sans'", "font-family: var(--font)")
    for stand_in, variable in _VARIABLES.items():
        body = body.replace(stand_in, f"var(--{variable})")
    return Markup(body.strip())  # noqa: S704  matplotlib escapes what it is given


def heat(values: np.ndarray, *, top: float | None = None) -> np.ndarray:
    """Numbers as RGBA cells, from clear at 0 to full at `top` (the largest); NaN and negative ones are clear."""
    known = np.nan_to_num(values, nan=0.0)
    highest = top if top is not None else known.max(initial=0.0)
    opacity = np.clip(known / highest, 0, 1) if highest > 0 else np.zeros_like(known)
    return np.concatenate([np.broadcast_to(_HEAT, (*values.shape, 3)), opacity[..., None]], axis=-1)
