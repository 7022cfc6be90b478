"""Stochastic gradient descent, as in the paper: parameter groups and learning rates."""

from torch import nn, optim
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.foundations.params import Train
from pipeline.foundations.runtime.errors import PlainError

BACKBONE = "backbone."
"""Prefix of the backbone's parameters; all others are the head's."""


def make_optimizer(model: nn.Module, train: Train, *, fused: bool = False) -> optim.SGD:
    """SGD with momentum; weight decay on everything but the scale and shift of batch norms.

    Biases of other layers decay, as in the released code. The head, all that is not under `backbone`, learns at
    `train.head_rate` times the rate and has a decay of its own where `train.head_weight_decay` is set. `fused`: the
    update is one kernel a group, which leaves all as it is where the loss is not finite (`skip_unless_finite`).

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
    optimizer = optim.SGD(kinds, momentum=train.momentum, nesterov=train.nesterov, fused=fused or None)
    set_rate(optimizer, train.learning_rate)
    return optimizer


def set_rate(optimizer: optim.SGD, rate: float) -> None:
    """Set the learning rate of every group, times the group's factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def set_training(model: nn.Module, train: Train) -> None:
    """Training mode, except for batch norms whose statistics are frozen."""
    model.train()
    if train.freeze_backbone or train.freeze_batch_norm:
        for norm in batch_norms(model):
            norm.eval()


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """Every batch norm of a model, in order."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]
