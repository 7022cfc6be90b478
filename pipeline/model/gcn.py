"""Equation 1, as the paper writes it: Z(l+1) = sigma(A^ Z(l) W(l))."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Gcn(nn.Module):
    """A graph convolutional network over actions.

    Shape suffixes: N actions (nodes), I and O the input and output sizes of a layer, ... any batch dimensions.
    """

    def __init__(self, sizes: Sequence[int], *, slope: float, bias: bool, last_activation: bool) -> None:
        """A network of `len(sizes) - 1` layers, with `sizes[l]` features a node at the input of layer l.

        Args:
            sizes: features a node: the input's, each hidden layer's, the output's.
            slope: of Leaky ReLU below zero.
            bias: add b(l) in each layer (released code; the equation has none).
            last_activation: apply sigma after the last layer too (the equation; the released code does not).
        """
        super().__init__()
        layers = list(pairwise(sizes))
        self.weights = nn.ParameterList(_uniform(outputs, inputs, outputs) for inputs, outputs in layers)
        self.biases = nn.ParameterList(_uniform(outputs, outputs) for _, outputs in layers if bias)
        self.slope = slope
        self.last_activation = last_activation

    def propagate(self, adjacency_NN: Tensor, nodes: Tensor) -> list[Tensor]:
        """Node features at the input and after each layer: Z(0), Z(1), ..., Z(L).

        Args:
            adjacency_NN: the normalized adjacency A^.
            nodes: Z(0), ... x N x I.
        """
        A, Z = adjacency_NN, [nodes]
        for layer, W in enumerate(self.weights):
            messages = A @ Z[-1] @ W
            if self.biases:
                messages = messages + self.biases[layer]
            Z.append(self._sigma(messages) if self._activates(layer) else messages)
        return Z

    def forward(self, adjacency_NN: Tensor, nodes: Tensor) -> Tensor:
        """Z(L), ... x N x O, from Z(0), ... x N x I."""
        return self.propagate(adjacency_NN, nodes)[-1]

    def _sigma(self, messages: Tensor) -> Tensor:
        return F.leaky_relu(messages, self.slope)

    def _activates(self, layer: int) -> bool:
        return layer < len(self.weights) - 1 or self.last_activation


def _uniform(fan: int, *shape: int) -> nn.Parameter:
    """A parameter drawn uniformly within 1 / sqrt(output size), as in Kipf and Welling's and the released code."""
    bound = fan**-0.5
    return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))
