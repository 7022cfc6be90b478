"""Precise batch norm: statistics of the present weights, not a running average over training.

In training, a batch norm's running statistics lag behind the weights. Before a model is tested or saved, they
are measured anew: the mean of the batch statistics over many training batches (released code; Wu and He 2018).
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from pipeline.train.distributed import DistributedContext
from pipeline.train.optimizer import batch_norms


@torch.no_grad()
def measure_batch_norm(model: nn.Module, batches: Iterable[Tensor], context: DistributedContext) -> None:
    """Replace the running statistics of every batch norm by their means over `batches`.

    Args:
        model: in any mode, and left in it; its weights do not change.
        batches: of clips, as the model takes them.
        context: whose members each see a part of every batch.
    """
    norms = batch_norms(model)
    momenta = [norm.momentum for norm in norms]
    modes = [(module, module.training) for module in model.modules()]
    for norm in norms:
        norm.reset_running_stats()
    model.train()
    for number, clips in enumerate(batches, start=1):
        for norm in norms:
            norm.momentum = 1.0 / number  # the plain mean; by None, torch would read the number from the GPU each time
        model(clips)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        for statistic in (norm.running_mean, norm.running_var):
            if statistic is not None:
                statistic.copy_(context.mean(statistic))
    for module, training in modes:
        module.training = training
