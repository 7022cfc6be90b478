"""Heads of one design side by side: their parameters stacked, computed as one batch by torch.func.

A head is small, and most of a training step is the cost of calling into PyTorch; M heads at once pay it once.
Shapes: M heads, B videos, C backbone features, N actions, P a sound.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from pipeline.foundations.params import Train
from pipeline.model.model import HeadModel
from pipeline.model.transformer import ActionEncoder
from pipeline.train.step import Clip


class HeadStack:
    """M heads of one design, each with its own weights; forms and graphs are shared where they are equal.

    Attributes:
        weights: the parameters of all heads, each M x its own shape.
    """

    def __init__(self, heads: Sequence[HeadModel]) -> None:
        """Stack the heads' present weights; the heads themselves are not changed by training the stack."""
        self._heads = heads
        self._names = tuple(name for name, _ in heads[0].named_parameters())
        columns = zip(*(head.parameters() for head in heads), strict=True)
        self.weights = nn.ParameterList(torch.stack([weight.detach() for weight in column]) for column in columns)
        self.load_buffers()

    def load_buffers(self) -> None:
        """Take the heads' forms and graphs as they are now."""
        named = [dict(head.named_buffers()) for head in self._heads]
        self._buffers: dict[str, Tensor] = {}
        self._buffer_dims: dict[str, int | None] = {}
        for name, first in named[0].items():
            column = [buffers[name] for buffers in named]
            equal = all(other is first or torch.equal(other, first) for other in column)
            self._buffers[name] = first if equal else torch.stack(column)
            self._buffer_dims[name] = None if equal else 0

    def logits(self, weights: nn.ParameterList, features: Tensor, sounds: Tensor, *, training: bool) -> Tensor:
        """Logits, M x B x N.

        Args:
            weights: `self.weights`, or an average of them.
            features: M x B x C, or B x C for all heads.
            sounds: M x B x P, or B x P.
            training: with dropout. Its masks are drawn once, the same for all heads.
        """
        plan = self._heads[0].train(training)

        def one(weights: Sequence[Tensor], buffers: dict[str, Tensor], x: Tensor, heard: Tensor) -> Tensor:
            named = dict(zip(self._names, weights, strict=True))
            logits_BN: Tensor = functional_call(plan, (named, buffers), (x, heard))
            return logits_BN

        dims = (0, self._buffer_dims, *(0 if x.ndim == 3 else None for x in (features, sounds)))
        with sdpa_kernel(SDPBackend.MATH):  # the one attention that vmap knows
            stacked: Tensor = vmap(one, in_dims=dims, randomness="same")(
                tuple(weights), self._buffers, features, sounds
            )
        return stacked

    def weights_of(self, weights: nn.ParameterList, place: int) -> dict[str, Tensor]:
        """One head's parameters by name, as `HeadModel` and `MultiActionModel` know them."""
        return {name: weight[place].detach().cpu().clone() for name, weight in zip(self._names, weights, strict=True)}


class StackedAdam(optim.AdamW):
    """PyTorch's AdamW (Loshchilov and Hutter 2019), with its published constants, over stacked parameters.

    Every head has a rate and a decay of its own, so it is a parameter group of its own, whose parameters are views of
    the stack. The update is one fused kernel a group, on CPUs, too, where it reads and writes each number once.
    """

    def __init__(self, weights: nn.ParameterList, decays: Sequence[float]) -> None:
        """Start at rest, with rates of 0; `decays` are the M weight decays."""
        self._stacked = list(weights)
        heads = [[nn.Parameter(weight.detach()[place]) for weight in weights] for place in range(len(decays))]
        groups = [{"params": head, "weight_decay": decay} for head, decay in zip(heads, decays, strict=True)]
        super().__init__(groups, lr=0.0, fused=True)

    def set_rates(self, rates: Sequence[float]) -> None:
        """Set the M learning rates."""
        for group, rate in zip(self.param_groups, rates, strict=True):
            group["lr"] = rate

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of the stack, of which the views' are parts."""
        super().zero_grad(set_to_none)
        for weight in self._stacked:
            weight.grad = None

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take one step; parameters without a gradient stay."""
        for place, group in enumerate(self.param_groups):
            for view, weight in zip(group["params"], self._stacked, strict=True):
                view.grad = None if weight.grad is None else weight.grad[place]
        super().step(closure)


class StackedSgd(optim.SGD):
    """SGD as `torch.optim.SGD`, over stacked parameters; every head has a rate and a weight decay of its own."""

    def __init__(self, weights: nn.ParameterList, decays: Sequence[float], train: Train) -> None:
        """Start at rest, with rates of 0; `decays` are the M weight decays."""
        super().__init__(weights, lr=0.0, momentum=train.momentum, nesterov=train.nesterov)
        self._decays_M = weights[0].new_tensor(decays)
        self._rates_M = torch.zeros_like(self._decays_M)

    def set_rates(self, rates: Sequence[float]) -> None:
        """Set the M learning rates."""
        self._rates_M = self._decays_M.new_tensor(rates)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take one step; parameters without a gradient stay."""
        (group,) = self.param_groups
        for weight in group["params"]:
            if weight.grad is None:
                continue
            shape = (-1, *[1] * (weight.ndim - 1))
            slope = torch.addcmul(weight.grad, self._decays_M.view(shape), weight)
            if group["momentum"]:
                state = self.state[weight]
                if "momentum_buffer" in state:
                    state["momentum_buffer"].mul_(group["momentum"]).add_(slope)
                else:
                    state["momentum_buffer"] = slope.clone()
                velocity = state["momentum_buffer"]
                slope = slope.add_(velocity, alpha=group["momentum"]) if group["nesterov"] else velocity
            weight.addcmul_(self._rates_M.view(shape), slope, value=-1.0)


StackedOptimizer = StackedSgd | StackedAdam


def stacked_optimizer(weights: nn.ParameterList, decays: Sequence[float], train: Train) -> StackedOptimizer:
    """The optimizer that the parameters name."""
    return StackedAdam(weights, decays) if train.optimizer == "adam" else StackedSgd(weights, decays, train)


def stacked_clip_of(train: Train) -> Clip | None:
    """Shorten each head's gradients together to the norm `train.gradient_clip`, where it is set."""
    if train.gradient_clip is None:
        return None
    largest = train.gradient_clip

    @torch.no_grad()
    def clip(weights: Iterable[nn.Parameter]) -> None:
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        norms = torch.stack([torch.linalg.vector_norm(gradient.flatten(1), dim=1) for gradient in gradients])
        norm_M = torch.linalg.vector_norm(norms, dim=0)
        factor_M = (largest / (norm_M + 1e-6)).clamp(max=1.0)  # as torch.nn.utils.clip_grad_norm_
        for gradient in gradients:
            gradient.mul_(factor_M.view(-1, *[1] * (gradient.ndim - 1)))

    return clip


def draws_at_random(head: nn.Module) -> bool:
    """Whether a head's training draws random numbers: those of transformers do, by dropout."""
    return any(isinstance(module, ActionEncoder) for module in head.modules())
