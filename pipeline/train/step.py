"""One step of gradient descent, the same for the whole model and for heads on frozen features."""

from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import Tensor, nn, optim
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pipeline.foundations.params import Train

Clip = Callable[[Iterable[nn.Parameter]], object]
"""Shortens gradients in place."""


def descend(
    loss: Tensor, weights: nn.Module, optimizer: optim.Optimizer, *, average: AveragedModel | None, clip: Clip | None
) -> None:
    """Backpropagate a loss, clip the gradients, take the optimizer's step, update the averaged weights."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    if clip is not None:
        clip(weights.parameters())
    optimizer.step()
    if average is not None:
        average.update_parameters(weights)


def skip_unless_finite(optimizer: optim.SGD, loss: Tensor) -> None:
    """Make the next step of a fused optimizer leave weights and momentum as they are where the loss is not finite.

    Its kernel looks at the flag on the device, so nothing is read here; PyTorch's gradient scaler tells it so, too.
    """
    optimizer.found_inf = (~loss.detach().isfinite()).float()  # type: ignore[attr-defined]


class LateLoss:
    """A loss on its way to the CPU, which is read while the GPU computes the next step."""

    def __init__(self, loss: Tensor) -> None:
        """Begin to copy it; from a CPU there is nothing to copy."""
        self._value = loss
        self._arrived: torch.cuda.Event | None = None
        if loss.is_cuda:
            self._value = torch.empty((), dtype=loss.dtype, pin_memory=True).copy_(loss, non_blocking=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._arrived.record()

    def read(self) -> float:
        """Wait for it, and for nothing that was asked of the GPU since."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return float(self._value)


def averaged(weights: nn.Module, train: Train) -> AveragedModel | None:
    """A copy of the weights for their exponential average, where `train.ema` asks for one."""
    if train.ema is None:
        return None
    return AveragedModel(weights, multi_avg_fn=get_ema_multi_avg_fn(train.ema))  # type: ignore[no-untyped-call]


def clip_of(train: Train) -> Clip | None:
    """Shorten all gradients together to the norm `train.gradient_clip`, where it is set."""
    return None if train.gradient_clip is None else partial(nn.utils.clip_grad_norm_, max_norm=train.gradient_clip)
