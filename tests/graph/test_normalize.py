import numpy as np
import pytest
import torch

from pipeline.graph.normalize import normalize, reweight

# Five actions: 0 -> 1, 0 -> 2, 1 -> 0, 3 -> 2; action 4 has no edge.
EDGES = torch.tensor(
    [[0, 1, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]], dtype=torch.bool
)


def test_paper_normalization_by_hand():
    """Row sums of A + I are 3, 2, 1, 2, 1; each entry is divided by the roots of its row's and its column's."""
    r3, r2 = 3**-0.5, 2**-0.5
    expected = [
        [1 / 3, r3 * r2, r3, 0, 0],
        [r2 * r3, 1 / 2, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, r2, 1 / 2, 0],
        [0, 0, 0, 0, 1],
    ]
    np.testing.assert_allclose(normalize(EDGES, "paper").numpy(), expected, atol=1e-15)


def test_paper_normalization_is_the_matrix_product_of_the_formula(random_graph):
    adjacency = random_graph(20)
    connected = adjacency + torch.eye(20)
    half = torch.diag(connected.sum(1)).inverse().sqrt()
    torch.testing.assert_close(normalize(adjacency, "paper"), half @ connected @ half)


def test_released_reweighting_by_hand():
    """Each column's edges share 0.25: column 2 has two, columns 0 and 1 one each."""
    expected = np.eye(5)
    expected[0, 1], expected[1, 0], expected[0, 2], expected[3, 2] = 0.25, 0.25, 0.125, 0.125
    np.testing.assert_allclose(reweight(EDGES).numpy(), expected, atol=1e-6)


def test_released_messages_run_along_the_edge_and_the_papers_against_it():
    """Row i of A^ gathers what reaches node i. The edge 3 -> 2 says: where 3 occurs, so does 2."""
    released, paper = normalize(EDGES, "released"), normalize(EDGES, "paper")
    assert released[2, 3] > 0
    assert released[3, 2] == 0
    assert paper[3, 2] > 0
    assert paper[2, 3] == 0


@pytest.mark.parametrize("method", ["paper", "released"])
def test_an_action_without_edges_keeps_its_own_features(method):
    row = normalize(EDGES, method)[4]
    torch.testing.assert_close(row, torch.eye(5, dtype=torch.float64)[4])


@pytest.mark.parametrize("method", ["paper", "released"])
def test_no_edge_at_all_is_the_identity(method):
    torch.testing.assert_close(normalize(torch.zeros(4, 4), method), torch.eye(4, dtype=torch.float64))


def test_golden_adjacency_of_the_released_code(golden):
    """The released threshold is at or above; its entries are then reweighted and normalized."""
    edges = torch.from_numpy(golden["psi"] >= golden["threshold"])
    np.testing.assert_allclose(reweight(edges).numpy(), golden["adjacency_reweighted"], atol=1e-6)
    np.testing.assert_allclose(normalize(edges, "released").numpy(), golden["adjacency_normalized"], atol=1e-6)
