"""Orders, cosines and heat maps, against cases by hand."""

import numpy as np
import pytest

from pipeline.report.figures.matrices import cosine, heat_map, order_of


def test_alike_actions_stand_together():
    groups = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    similarity = np.where(groups[:, None] == groups, 0.9, 0.05)
    ordered = groups[order_of(similarity)]
    assert (np.diff(ordered) != 0).sum() == 2


def test_an_order_is_a_permutation_whatever_is_unknown():
    similarity = np.full((6, 6), np.nan)
    similarity[0, 4] = 0.8
    order = order_of(similarity)
    assert sorted(order) == list(range(6))
    assert abs(list(order).index(0) - list(order).index(4)) == 1


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_actions_keep_their_order(n):
    assert order_of(np.ones((n, n))).tolist() == list(range(n))


def test_cosines_by_hand():
    found = cosine(np.array([[1.0, 0], [1, 1], [-2, 0], [0, 0], [np.nan, np.nan]]))
    np.testing.assert_allclose(found[0, :3], [1, np.sqrt(0.5), -1])
    assert np.isnan(found[3]).all()
    assert np.isnan(found[:, 4]).all()


def test_a_small_map_carries_names_and_a_large_one_does_not():
    small = str(heat_map(np.eye(3), ["singing", "diving", "a+b"], name="m", about="x"))
    assert small.count("singing</text>") == 2
    names = [f"action{number}" for number in range(80)]
    assert "action7" not in str(heat_map(np.eye(80), names, name="m", about="x"))


def test_marked_cells_are_framed():
    plain = str(heat_map(np.eye(3), list("abc"), name="m", about="x"))
    marked = str(heat_map(np.eye(3), list("abc"), name="m", about="x", marked=np.eye(3, k=1, dtype=bool)))
    assert "var(--second)" not in plain
    assert "var(--second)" in marked
