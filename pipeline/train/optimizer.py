"""Stochastic gradient descent, as the paper trains."""

from collections.abc import Sequence
from typing import Any

from torch import nn, optim
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.foundations.params import Train
from pipeline.foundations.runtime.errors import PlainError

BACKBONE = "backbone."
"""Prefix of the backbone's parameters; all others are the head's."""


def make_optimizer(model: nn.Module, train: Train) -> optim.SGD:
    """SGD with momentum; weight decay on everything but the scale and shift of batch norms.

    Biases of other layers decay, as in the released code. The head, all that is not under `backbone`, learns at
    `train.head_rate` times the rate and has a decay of its own where `train.head_weight_decay` is set.

    Raises:
        PlainError: `train.optimizer` names one that trains heads on fixed features alone.
    """
    if train.optimizer != "sgd":
        raise PlainError(f"train.optimizer: {train.optimizer} trains heads on fixed features alone; set it to sgd")
    exempt = {id(parameter) for norm in batch_norms(model) for parameter in norm.parameters()}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            backbone = name.startswith(BACKBONE)
            factor, decay = (1.0, train.weight_decay) if backbone else (train.head_rate, train.head_decay)
            groups.setdefault((factor, 0.0 if id(parameter) in exempt else decay), []).append(parameter)
    kinds = [{"params": held, "factor": factor, "weight_decay": decay} for (factor, decay), held in groups.items()]
    return make_sgd(kinds, train.learning_rate, train)


def make_sgd(groups: Sequence[dict[str, Any]], rate: float, train: Train) -> optim.SGD:
    """SGD over groups of parameters, each with its `weight_decay` and its `factor` on the learning rate."""
    optimizer = optim.SGD(list(groups), momentum=train.momentum, nesterov=train.nesterov)
    set_rate(optimizer, rate)
    return optimizer


def set_rate(optimizer: optim.SGD, rate: float) -> None:
    """Set the learning rate of every group, times the group's factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """Every batch norm of a model, in order."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]
