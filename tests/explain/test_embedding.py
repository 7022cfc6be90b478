"""Actions on a plane, and whether linked ones are closer: by hand, and counted pair by pair."""

from itertools import combinations

import numpy as np
import pytest

from pipeline.explain.embedding import clustering, embedding, linked_closer, plane
from pipeline.explain.relations import cosines


@pytest.fixture
def two_groups() -> np.ndarray:
    """Twelve actions: six about one place, six about another."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(0, 1, (6, 8)), rng.normal(9, 1, (6, 8))]).astype(np.float32)


def test_groups_stay_apart(two_groups):
    points = plane(two_groups, perplexity=3.0, seed=1)
    near = [
        np.linalg.norm(points[i] - points[j]) for group in (range(6), range(6, 12)) for i, j in combinations(group, 2)
    ]
    far = [np.linalg.norm(points[i] - points[j]) for i in range(6) for j in range(6, 12)]
    assert points.shape == (12, 2)
    assert points.mean(axis=0) == pytest.approx([0, 0], abs=1e-4)
    assert max(near) < min(far)


def test_the_same_nodes_and_seed_give_the_same_plane(two_groups):
    assert (plane(two_groups, perplexity=3.0, seed=1) == plane(two_groups, perplexity=3.0, seed=1)).all()


def test_few_actions_lower_the_perplexity(two_groups):
    assert np.isfinite(plane(two_groups[:5], perplexity=30.0, seed=1)).all()
    assert (plane(two_groups[:3], perplexity=30.0, seed=1) == 0).all()


def test_every_layer_of_every_learner_has_every_action(two_groups):
    layers = {"audio": [two_groups, two_groups[:, :3]], "text": [two_groups]}
    table = embedding(layers, perplexity=3.0, seed=1)
    keys = [(row["learner"], row["layer"], row["action_id"]) for row in table.to_pylist()]
    assert keys == [(*layer, action) for layer in (("audio", 0), ("audio", 1), ("text", 0)) for action in range(12)]


def test_linked_closer_counted_pair_by_pair():
    rng = np.random.default_rng(3)
    nodes, edge = rng.standard_normal((9, 4)), rng.random((9, 9)) < 0.2
    close = cosines(nodes)
    pairs = list(combinations(range(9), 2))
    linked = [close[i, j] for i, j in pairs if edge[i, j] or edge[j, i]]
    apart = [close[i, j] for i, j in pairs if not (edge[i, j] or edge[j, i])]
    expected = 100 * np.mean([a > b for a in linked for b in apart])
    assert linked_closer(nodes, edge) == pytest.approx(expected, abs=1e-3)


def test_linked_closer_at_its_ends():
    nodes = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    edge = np.zeros((4, 4), dtype=bool)
    assert np.isnan(linked_closer(nodes, edge))
    edge[0, 1] = edge[3, 2] = True
    assert linked_closer(nodes, edge) == 100.0
    assert linked_closer(nodes, ~edge & ~edge.T) == 0.0


def test_what_is_learnt_stands_beside_what_the_graph_does_alone(two_groups):
    edge = np.zeros((12, 12), dtype=bool)
    edge[:6, :6] = edge[6:, 6:] = True
    alone = np.random.default_rng(0).standard_normal((12, 2))
    (row,) = clustering({"text": [two_groups]}, {"text": [alone]}, edge).to_pylist()
    assert (row["learner"], row["layer"], row["size"]) == ("text", 0, 8)
    assert row["learnt"] == linked_closer(two_groups, edge)
    assert row["smoothed"] == linked_closer(alone, edge)
    assert row["learnt"] > row["smoothed"]
