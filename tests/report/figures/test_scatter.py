"""The plane of forms against an exact decomposition."""

import numpy as np
import pytest

from pipeline.report.figures.scatter import label_points, plane, scatter
from pipeline.report.figures.svg import drawing


def test_the_plane_is_that_of_the_singular_value_decomposition():
    forms = np.random.default_rng(0).normal(size=(9, 20)) * np.linspace(3, 0.1, 20)
    points, explained = plane(forms)
    left, sizes, _ = np.linalg.svd(forms - forms.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(points), np.abs(left[:, :2] * sizes[:2]), atol=1e-9)
    np.testing.assert_allclose(explained, sizes[:2] ** 2 / (sizes**2).sum())


def test_points_are_named_where_there_is_room():
    points = np.random.default_rng(0).normal(size=(70, 2))
    few = str(scatter(points[:3], np.array([0.6, 0.3]), ["diving", "singing", "a+b"], name="p", about="x"))
    assert "diving</text>" in few
    assert "60% of the variance</text>" in few
    many = str(scatter(points, np.array([0.6, 0.3]), [f"action{n}" for n in range(70)], name="p", about="x"))
    assert "action7" not in many


@pytest.mark.parametrize("rows", [2, 3])
def test_two_forms_are_enough(rows):
    assert plane(np.eye(rows, 4))[0].shape == (rows, 2)


@pytest.mark.parametrize("width", [2.2, 3.5, 5.4])
def test_names_stay_within_the_frame(width):
    corners = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1], [0.9, 0.0], [-0.9, 0.1], [0.0, 0.98]])
    names = ["hitting/colliding", "playing+music", "applauding", "officiating", "performing", "swimming", "diving"]
    with drawing(width, 3.1) as (figure, axes):
        axes.scatter(*corners.T)
        axes.margins(0.05)
        figure.draw_without_rendering()
        label_points(axes, corners, names)
        frame = axes.get_window_extent()
        boxes = [text.get_window_extent() for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == names
    for box in boxes:
        assert frame.x0 <= box.x0, "left of the frame"
        assert box.x1 <= frame.x1, "right of the frame"
        assert frame.y0 <= box.y0
        assert box.y1 <= frame.y1


def test_a_name_stands_where_nothing_is_in_the_way():
    points = np.array([[0.0, 0.0], [0.35, 0.0], [-1, -1], [1, 1]])
    with drawing(5.4, 4.3) as (figure, axes):
        axes.scatter(*points.T)
        figure.draw_without_rendering()
        label_points(axes, points, ["singing", "b", "c", "d"])
        first, second = (axes.texts[number].get_window_extent() for number in (0, 1))
        other = axes.transData.transform(points[1])
    assert not first.contains(*other)
    assert not first.overlaps(second)
