"""Stochastic gradient descent, as the paper trains."""

from typing import Any

from torch import nn, optim
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.foundations.params import Train


def make_optimizer(model: nn.Module, train: Train) -> optim.SGD:
    """SGD with momentum; weight decay on everything but the scale and shift of batch norms.

    Biases of other layers decay, as in the released code.
    """
    exempt = {id(parameter) for norm in batch_norms(model) for parameter in norm.parameters()}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trained if id(parameter) not in exempt]
    others = [parameter for parameter in trained if id(parameter) in exempt]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
    return optim.SGD(
        [group for group in groups if group["params"]],
        lr=train.learning_rate,
        momentum=train.momentum,
        nesterov=train.nesterov,
        weight_decay=train.weight_decay,
    )


def set_rate(optimizer: optim.SGD, rate: float) -> None:
    """Set the learning rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """Every batch norm of a model, in order."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]
