"""Learnt relations against the equation written out, scikit-learn, and hand-made graphs."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from pipeline.explain.relations import (
    classifiers,
    cosines,
    graph_of,
    neighbours,
    node_features,
    smoothed_features,
)
from pipeline.foundations.tables import tables


def test_node_features_are_equation_1_layer_by_layer(make_network):
    network = make_network("visual", "audio", "text")
    found = node_features(network)
    assert list(found) == ["audio", "text"]  # the visual nodes differ by a scalar alone
    head = network.head.learners["text"]
    A, X, gcn = network.head.adjacency.numpy(), head.forms.numpy(), head.relation
    (W0, W1), (b0, b1) = ([tensor.detach().numpy() for tensor in parts] for parts in (gcn.weights, gcn.biases))
    hidden = A @ X @ W0 + b0
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    for layer, expected in enumerate((X, hidden, A @ hidden @ W1 + b1)):
        assert found["text"][layer] == pytest.approx(expected, abs=1e-5)


def test_classifiers_are_the_last_layer(make_network):
    network = make_network("audio", "text")
    assert classifiers(network)["audio"] == pytest.approx(node_features(network)["audio"][-1])


def test_the_graph_alone_is_powers_of_the_adjacency(make_network):
    network = make_network("audio")
    A, X = network.head.adjacency.numpy(), network.head.learners["audio"].forms.numpy()
    for power, nodes in enumerate(smoothed_features(network)["audio"]):
        assert nodes == pytest.approx(np.linalg.matrix_power(A, power) @ X, abs=1e-5)


def test_the_baseline_has_classifiers_but_no_layers(make_network):
    network = make_network("fc")
    assert classifiers(network)["fc"] == pytest.approx(network.head.weight.detach().numpy())
    assert node_features(network) == smoothed_features(network) == {}


def test_a_transformer_has_classifiers_but_no_layers(make_network):
    network = make_network("visual", "text", relation="transformer")
    assert set(classifiers(network)) == {"text"}
    assert node_features(network) == {}


def test_cosines_against_scikit_learn():
    rows = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    assert cosines(rows) == pytest.approx(cosine_similarity(rows), abs=1e-6)
    assert np.isnan(cosines(np.array([[0.0, 0.0], [1.0, 0.0]]))[0]).all()


def test_the_graph_is_read_from_its_table():
    rows = [
        (0, 0, 4, 4, 1.0, False),
        (0, 1, 4, 3, 0.75, True),
        (1, 0, 0, 0, np.nan, False),
        (1, 1, 0, 0, np.nan, False),
    ]
    psi, edge = graph_of(tables.from_rows("adjacency", rows), 2)
    assert psi[0].tolist() == [1.0, 0.75]
    assert np.isnan(psi[1]).all()
    assert edge.tolist() == [[False, True], [False, False]]


def found(table: pa.Table, learner: str, action: int) -> list[tuple]:
    rows = [row for row in table.to_pylist() if (row["learner"], row["action_id"]) == (learner, action)]
    return [(row["rank"], row["neighbour"], row["strength"], row["psi"]) for row in rows]


def test_neighbours_by_hand():
    learnt = {"text": np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [-1.0, 0.0]])}
    psi = np.array([[1.0, 0.2, 0.5, 0.0], [0.3, 1.0, 0.3, 0.0], [0.9, 0.1, 1.0, 0.0], [np.nan] * 4])
    table = neighbours(learnt, psi, 2)
    assert found(table, "text", 0) == [(1, 1, 0.6, 0.2), (2, 2, 0.0, 0.5)]
    assert found(table, "data", 0) == [(1, 2, 0.5, 0.5), (2, 1, 0.2, 0.2)]
    assert found(table, "data", 1) == [(1, 0, 0.3, 0.3), (2, 2, 0.3, 0.3)]  # of equals, the lower id
    assert found(table, "data", 3) == []  # never occurs
    assert [(rank, other) for rank, other, _, _ in found(table, "text", 3)] == [(1, 2), (2, 1)]


def test_an_action_is_no_neighbour_of_itself(make_network):
    table = neighbours(classifiers(make_network("audio", "text")), np.ones((5, 5)), 9)
    rows = table.to_pylist()
    assert all(row["action_id"] != row["neighbour"] for row in rows)
    assert len(rows) == 3 * 5 * 4


def test_a_row_of_zeros_has_no_neighbours():
    table = neighbours({"fc": np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])}, np.full((3, 3), np.nan), 2)
    assert found(table, "fc", 0) == []
    assert [other for _, other, _, _ in found(table, "fc", 1)] == [2]
