"""Matplotlib's SVG as it enters the page: themed, with ids of its own, without a trace of when or where."""

import re

import matplotlib as mpl
import numpy as np
import pytest

from pipeline.report.figures.svg import ACCENT, INK, drawing, heat, to_svg


@pytest.fixture
def draw():
    def make(name: str = "one", about: str = "a line") -> str:
        with drawing(3, 2) as (figure, axes):
            axes.plot([0, 1], [0, 1], color=ACCENT, marker="o")
            axes.set_title("x < y & z", color=INK)
            axes.imshow(np.eye(2), extent=(0, 1, 0, 1))
            return str(to_svg(figure, name=name, about=about))

    return make


def test_it_is_one_element_that_scales_and_says_what_it_shows(draw):
    svg = draw(about='rows "and" columns')
    head = svg[: svg.index(">")]
    assert svg.startswith("<svg viewBox=")
    assert svg.endswith("</svg>")
    assert "width=" not in head
    assert 'role="img"' in head
    assert 'aria-label="rows &#34;and&#34; columns"' in head


def test_colours_are_the_pages(draw):
    svg = draw()
    assert "var(--accent)" in svg
    assert "var(--ink)" in svg
    assert "#040404" not in svg
    assert "#010101" not in svg


def test_text_stays_text_in_the_pages_font(draw):
    svg = draw()
    assert "x &lt; y &amp; z</text>" in svg
    assert "DejaVu" not in svg
    assert "var(--font)" in svg


def test_ids_start_with_the_figures_name_and_references_follow(draw):
    svg = draw("curve-loss")
    ids = set(re.findall(r'\bid="([^"]+)"', svg))
    assert ids
    assert all(name.startswith("curve-loss-") for name in ids)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    assert used
    assert used <= ids


def test_the_same_drawing_gives_the_same_bytes_and_no_date(draw):
    assert draw() == draw()
    assert "<metadata>" not in draw()
    assert "://" not in draw().replace("http://www.w3.org", "")


def test_the_users_own_style_changes_nothing(draw):
    plain = draw()
    with mpl.rc_context(
        {"xtick.direction": "in", "lines.dash_capstyle": "round", "axes.linewidth": 4, "font.size": 30}
    ):
        assert draw() == plain


def test_opacity_follows_the_value():
    cells = heat(np.array([[0.0, 0.5], [1.0, 2.0]]), top=1.0)
    np.testing.assert_allclose(cells[..., 3], [[0, 0.5], [1, 1]])
    assert (cells[..., :3] == cells[0, 0, :3]).all()


def test_unknown_and_negative_values_are_clear_and_the_top_is_the_largest():
    np.testing.assert_allclose(heat(np.array([[np.nan, -1.0], [2.0, 4.0]]))[..., 3], [[0, 0], [0.5, 1]])
    assert not heat(np.zeros((2, 2)))[..., 3].any()
