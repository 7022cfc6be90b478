"""The fast form against the literal one: the same values, the same gradients."""

import itertools

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from pipeline.graph.normalize import normalize
from pipeline.model.gcn import Gcn
from pipeline.model.gcn_fast import activated_sum, holds, shared_feature_gcn

CASES = list(
    itertools.product(
        [2, 5, 31, 113],  # actions
        [1, 4, 17],  # batch
        [True, False],  # bias
        [0.2, 0.0, 1.5],  # slope: the paper's, ReLU's, one above 1
        ["paper", "released"],
    )
)


def literal(gcn: Gcn, adjacency_NN: Tensor, features_BC: Tensor) -> Tensor:
    """Equation 1 with the feature broadcast to all nodes, then the mean over nodes."""
    nodes_BNC = features_BC[:, None].expand(-1, len(adjacency_NN), -1)
    return gcn(adjacency_NN, nodes_BNC).mean(1)


def with_gradients(form, gcn: Gcn, adjacency_NN: Tensor, features_BC: Tensor) -> list[Tensor]:
    """Values, then gradients of a random weighting of them for the features and each parameter."""
    features_BC = features_BC.clone().requires_grad_()
    values = form(gcn, adjacency_NN, features_BC)
    weighting = torch.randn(values.shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    return [values, *torch.autograd.grad((values * weighting).sum(), [features_BC, *gcn.parameters()])]


@pytest.mark.parametrize(("n", "batch", "bias", "slope", "method"), CASES)
def test_fast_equals_literal(random_graph, n, batch, bias, slope, method):
    density, hidden, C, outputs = [float(torch.rand(())), *torch.randint(1, 24, (3,)).tolist()]
    adjacency_NN = normalize(random_graph(n, density), method)
    gcn = Gcn([C, hidden, outputs], slope=slope, bias=bias, last_activation=False).double()
    features_BC = torch.randn(batch, C).double()
    fast = with_gradients(shared_feature_gcn, gcn, adjacency_NN, features_BC)
    slow = with_gradients(literal, gcn, adjacency_NN, features_BC)
    for a, b in zip(fast, slow, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", range(20))
def test_any_matrix_will_do(seed):
    """Row sums of either sign, many of them equal, biases that leave all nodes on one side or split them."""
    torch.manual_seed(seed)
    matrix_NN = torch.randint(-2, 3, (9, 9)).double() / 3
    gcn = Gcn([4, 8, 3], slope=0.2, bias=True, last_activation=False).double()
    with torch.no_grad():
        gcn.biases[0].mul_(10 ** torch.linspace(-3, 2, 8))
    features_BC = torch.randn(6, 4).double()
    fast, slow = (with_gradients(form, gcn, matrix_NN, features_BC) for form in (shared_feature_gcn, literal))
    for a, b in zip(fast, slow, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


def test_activated_sum_by_hand():
    """r = 1, 2, 3 with c = 1 each, b = -2: at u = 1 the nodes stand at -1, 0 and 1; at u = -1 at -3, -4 and -5."""
    r, c, b = torch.tensor([3.0, 1.0, 2.0]), torch.ones(3), torch.tensor(-2.0)
    sums = activated_sum(torch.tensor([1.0, -1.0, 2.0, 0.0]), b, r, c, 0.2)
    torch.testing.assert_close(sums, torch.tensor([-0.2 + 0 + 1, 0.2 * -12, 0 + 2 + 4, 0.2 * -6]))


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("b", [0.7, 0.0, -0.7])
def test_a_dead_feature_leaves_the_bias(b, zero):
    """u = 0, of either sign: every node stands at the bias, on whichever side of zero; no division by zero shows."""
    u = torch.full((3,), zero, dtype=torch.float64, requires_grad=True)
    r, c = torch.rand(4).double(), torch.rand(4).double()
    sums = activated_sum(u, torch.tensor(b).double(), r, c, 0.2)
    side = 1.0 if b > 0 else 0.2
    torch.testing.assert_close(sums, torch.full_like(u, float(c.sum()) * b * side))
    (gradient,) = torch.autograd.grad(sums.sum(), u)
    torch.testing.assert_close(gradient, torch.full_like(u, float((c * r).sum()) * side))


@pytest.mark.parametrize("bias", [True, False])
def test_gradcheck(random_graph, bias):
    """Against finite differences, for the features and every parameter."""
    adjacency_NN = normalize(random_graph(11), "released")
    gcn = Gcn([3, 5, 4], slope=0.2, bias=bias, last_activation=False).double()
    features_BC = torch.randn(3, 3).double().requires_grad_()
    names = [name for name, _ in gcn.named_parameters()]

    def run(features_BC: Tensor, *values: Tensor) -> Tensor:
        parameters = dict(zip(names, values, strict=True))
        return torch.func.functional_call(
            Wrapper(gcn, adjacency_NN), {f"gcn.{k}": v for k, v in parameters.items()}, features_BC
        )

    values = [parameter.detach().clone().requires_grad_() for parameter in gcn.parameters()]
    assert gradcheck(run, (features_BC, *values), atol=1e-7)


class Wrapper(torch.nn.Module):
    def __init__(self, gcn: Gcn, adjacency_NN: Tensor) -> None:
        super().__init__()
        self.gcn, self.adjacency_NN = gcn, adjacency_NN

    def forward(self, features_BC: Tensor) -> Tensor:
        return shared_feature_gcn(self.gcn, self.adjacency_NN, features_BC)


def test_without_bias_the_graph_is_one_number_a_side(random_graph):
    """Row sums are positive, so sigma(r u) = r sigma(u) and the bracket is (sum c r) sigma(u): a scaled MLP."""
    adjacency_NN = normalize(random_graph(12), "paper")
    gcn = Gcn([3, 5, 4], slope=0.2, bias=False, last_activation=False).double()
    features_BC = torch.randn(6, 3).double()
    scale = (adjacency_NN.mean(0) * adjacency_NN.sum(1)).sum()
    mlp = torch.nn.functional.leaky_relu(features_BC @ gcn.weights[0], 0.2) @ gcn.weights[1]
    torch.testing.assert_close(shared_feature_gcn(gcn, adjacency_NN, features_BC), scale * mlp)


@pytest.mark.parametrize(
    ("sizes", "last_activation", "expected"),
    [([3, 4, 2], False, True), ([3, 4, 2], True, False), ([3, 2], False, False), ([3, 4, 4, 2], False, False)],
)
def test_where_the_identity_holds(sizes, last_activation, expected):
    assert holds(Gcn(sizes, slope=0.2, bias=True, last_activation=last_activation)) is expected


def test_float32_and_autocast_stay_close_to_float64(random_graph):
    """N 313, hidden 1024: prefix sums keep their precision where features come in bfloat16."""
    adjacency_NN = normalize(random_graph(313, 0.05), "paper").float()
    gcn = Gcn([64, 1024, 50], slope=0.2, bias=True, last_activation=False)
    features_BC = torch.randn(4, 64)
    exact = literal(gcn.double(), adjacency_NN.double(), features_BC.double())
    single = shared_feature_gcn(gcn.float(), adjacency_NN, features_BC)
    torch.testing.assert_close(single.double(), exact, rtol=0, atol=2e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = shared_feature_gcn(gcn, adjacency_NN, features_BC)
    torch.testing.assert_close(half.double(), exact, rtol=0, atol=0.02 * exact.detach().abs().max().item())
