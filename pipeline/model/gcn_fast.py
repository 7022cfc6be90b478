"""The visual GCN of two layers, exactly, without its B x N x H activations.

In the visual GCN all nodes get the video's feature X. Then the rows of A^ X differ by their sums r_i alone, and the
mean over nodes needs the columns of A^ by their means c_i alone. With u = X W(0), Equation 1 becomes

    Z = [ sum_i c_i sigma(r_i u + b(0)) ] W(1) + b(1).

sigma is linear on either side of zero, so for each of the B x H values of u the bracket is

    slope (R u + K b) + (1 - slope) (R+ u + K+ b),    K = sum c_i,  R = sum c_i r_i,

where R+ and K+ run over the nodes with r_i u + b > 0: the upper end of the sorted r where u > 0, the lower end
where u < 0. So the bracket is R* u + K* b with R* and K* from a table of 2 (N + 1) prefix sums, which one binary search
looks up, in B x H x log N.
"""

import torch
from torch import Tensor

from pipeline.model.gcn import Gcn


def holds(gcn: Gcn) -> bool:
    """Whether the identity applies to this network: two layers, no activation after the last."""
    return len(gcn.weights) == 2 and not gcn.last_activation


def shared_feature_gcn(gcn: Gcn, adjacency_NN: Tensor, features_BC: Tensor) -> Tensor:
    """The mean over nodes of the GCN whose nodes all get the same feature; B x O.

    Equal to `gcn(adjacency_NN, features_BC[:, None].expand(-1, N, -1)).mean(1)`, in values and gradients.
    """
    row_sums_N, column_means_N = adjacency_NN.sum(1), adjacency_NN.mean(0)
    u_BH = features_BC @ gcn.weights[0]
    b_H = gcn.biases[0] if gcn.biases else u_BH.new_zeros(())
    bracket_BH = activated_sum(u_BH, b_H, row_sums_N, column_means_N, gcn.slope)
    Z_BO: Tensor = bracket_BH.to(features_BC.dtype) @ gcn.weights[1]
    return Z_BO + gcn.biases[1] if gcn.biases else Z_BO


def activated_sum(u: Tensor, b: Tensor, r_N: Tensor, c_N: Tensor, slope: float) -> Tensor:
    """sum_i c_i sigma(r_i u + b) for each element of u, by sorting r once; differentiable in u and b.

    Args:
        u: ... x H, of either sign.
        b: broadcasts to u.
        r_N: row sums of A^; of either sign.
        c_N: column means of A^.
        slope: of sigma, Leaky ReLU, below zero.
    """
    u, b = u.to(r_N.dtype), b.to(r_N.dtype)  # prefix sums need the full precision under autocast
    with torch.no_grad():  # the set of active nodes is constant almost everywhere
        r_N, order_N = r_N.sort(stable=True)
        c_N = c_N[order_N]
        divisor = u.masked_fill(u == 0, 0.0)  # -0 would count as the other sign
        place = torch.searchsorted(r_N, -b / divisor, right=True)  # how many nodes have r_i <= -b / u
        place.add_(u < 0, alpha=len(r_N) + 1)
        R, K = _by_place(torch.stack([c_N * r_N, c_N]), slope)[:, place]
    total: Tensor = R * u + K * b
    return total


def _by_place(values_kN: Tensor, slope: float) -> Tensor:
    """Sums over nodes, each times sigma's derivative there, of k kinds of values; k x 2 (N + 1).

    The first N + 1 are for a rising argument, where the first 0, 1, ..., N nodes are not active; the others for a
    falling one, where those alone are.
    """
    total, first = values_kN.sum(1, keepdim=True), (1 - slope) * _prefix_sums(values_kN)
    return torch.cat([total - first, slope * total + first], 1)


def _prefix_sums(values_kN: Tensor) -> Tensor:
    """0, v_1, v_1 + v_2, ...; k x (N + 1). Row by row, since cumsum has no deterministic form on CUDA."""
    k, N = values_kN.shape
    return values_kN[:, None].expand(k, N + 1, N).tril(-1).sum(2)
