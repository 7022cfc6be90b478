"""The plane of forms against an exact decomposition."""

import numpy as np
import pytest

from pipeline.report.figures.scatter import plane, scatter


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
