import pytest
import torch

from pipeline.graph.normalize import normalize
from pipeline.model.gcn import Gcn


def network(*sizes: int, slope: float = 0.2, bias: bool = True, last_activation: bool = False) -> Gcn:
    return Gcn(sizes, slope=slope, bias=bias, last_activation=last_activation).double()


def test_equation_1_by_hand():
    """Two actions, one feature each: A^ mixes halves, W doubles or negates, sigma takes a fifth below zero."""
    gcn = network(1, 1, 1, bias=False, last_activation=True)
    with torch.no_grad():
        gcn.weights[0].fill_(2.0)
        gcn.weights[1].fill_(-1.0)
    adjacency = torch.tensor([[0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)
    nodes = torch.tensor([[3.0], [-1.0]], dtype=torch.float64)
    Z0, Z1, Z2 = gcn.propagate(adjacency, nodes)
    assert Z0 is nodes
    torch.testing.assert_close(Z1.squeeze(), torch.tensor([2.0, -2.0 * 0.2]).double())  # 0.5 (3 - 1) 2, -1 x 2
    torch.testing.assert_close(Z2.squeeze(), torch.tensor([-0.8 * 0.2, 0.4]).double())  # -(2 - 0.4) / 2, -(-0.4)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("last_activation", [True, False])
def test_each_node_gathers_weighted_neighbours(random_graph, layers, bias, last_activation):
    """The same, node by node and neighbour by neighbour."""
    n, sizes = 5, [3, *[4] * (layers - 1), 2]
    adjacency, gcn = (
        normalize(random_graph(n, 0.5), "paper"),
        network(*sizes, bias=bias, last_activation=last_activation),
    )
    nodes = torch.randn(n, 3).double()
    Z = nodes
    for layer, W in enumerate(gcn.weights):
        rows = []
        for i in range(n):
            row = sum(adjacency[i, j] * (Z[j] @ W) for j in range(n)) + (gcn.biases[layer] if bias else 0)
            if layer < layers - 1 or last_activation:
                row = torch.where(row > 0, row, 0.2 * row)
            rows.append(row)
        Z = torch.stack(rows)
    torch.testing.assert_close(gcn(adjacency, nodes), Z, rtol=0, atol=1e-12)


def test_a_batch_of_nodes_is_each_video_alone(random_graph):
    adjacency, gcn = normalize(random_graph(6), "released"), network(3, 4, 2)
    nodes = torch.randn(5, 6, 3).double()
    each = torch.stack([gcn(adjacency, one) for one in nodes])
    torch.testing.assert_close(gcn(adjacency, nodes), each, rtol=0, atol=1e-12)


def test_parameters_start_within_one_over_the_root_of_the_output_size():
    gcn = network(30, 100, 25)
    for tensor, bound in [(gcn.weights[0], 0.1), (gcn.biases[0], 0.1), (gcn.weights[1], 0.2), (gcn.biases[1], 0.2)]:
        assert 0.8 * bound < tensor.abs().max() <= bound


def test_the_equation_has_no_bias():
    assert len(list(network(3, 4, 2, bias=False).parameters())) == 2
    assert len(list(network(3, 4, 2, bias=True).parameters())) == 4
