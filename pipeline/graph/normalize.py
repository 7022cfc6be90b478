"""From edges to the matrix that carries messages: the normalized adjacency of Equation 1."""

from typing import Literal

import torch
from torch import Tensor

RELEASED_NEIGHBOUR_WEIGHT = 0.25  # released code: all neighbours together weigh a quarter of the node itself
RELEASED_EPSILON = 1e-6  # released code: keeps columns without an edge from dividing by zero


def normalize(adjacency: Tensor, method: Literal["paper", "released"]) -> Tensor:
    """The normalized adjacency A^ (N x N, float64) of binary edges A (N x N, A_ij = 1 for the edge i -> j).

    `paper` (Section 3.1): A~ = A + I, A^ = D~^-1/2 A~ D~^-1/2, where D~ holds the row sums of A~.
    `released`: A' = `reweight(A)`, A^ = (A' D)^T D with D = diag(row sums of A')^-1/2; its transpose makes
    messages run from i to j where P(j | i) is high, the other way than the paper's formula reads.
    """
    if method == "released":
        weighted_NN = reweight(adjacency)
        scale_N = weighted_NN.sum(1).rsqrt()
        return (weighted_NN * scale_N).T * scale_N
    connected_NN = adjacency.double() + torch.eye(len(adjacency), dtype=torch.float64)
    scale_N = connected_NN.sum(1).rsqrt()
    return scale_N[:, None] * connected_NN * scale_N


def reweight(adjacency: Tensor) -> Tensor:
    """A' = 0.25 A / (column sums + 1e-6) + I of the released code, N x N, float64."""
    edges_NN = adjacency.double()
    shares_NN = RELEASED_NEIGHBOUR_WEIGHT * edges_NN / (edges_NN.sum(0) + RELEASED_EPSILON)
    return shares_NN + torch.eye(len(adjacency), dtype=torch.float64)
