"""Training heads on frozen features: the same budget, rates and batches as the joint loop, without the 3D-CNN."""

from collections.abc import Callable, Mapping
from math import isfinite

import torch
from torch import Tensor, nn

from pipeline.foundations.params import Frozen, Train
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables.seeds import seed_of
from pipeline.model.model import MultiActionModel
from pipeline.train.batches import shuffled
from pipeline.train.loop import Loss, Metric
from pipeline.train.optimizer import set_rate
from pipeline.train.schedule import learning_rate
from pipeline.train.split import Split
from pipeline.train.state import Learner, Record


def fit_heads(
    learner: Learner,
    training: Split,
    validation: Split,
    *,
    train: Train,
    frozen: Frozen,
    seed: int,
    loss: Loss,
    metrics: Mapping[str, Metric],
    renew: Callable[[int], None],
) -> tuple[Record, ...]:
    """Train to the last epoch; returns one record an epoch.

    Args:
        learner: a fresh model whose backbone asks for no gradient, and its optimizer; changed in place.
        training: what is learnt from; an epoch sees one view of every video, in turn.
        validation: what is looked at.
        train: gradient clipping, as in joint training.
        frozen: epochs, batches and rates.
        seed: of the order of the videos.
        loss: of logits and targets.
        metrics: of the validation videos, by name.
        renew: called at the beginning of each epoch with its number.

    Raises:
        PlainError: the loss is not finite, or there are fewer videos than a batch holds.
    """
    history = []
    for epoch in range(frozen.epochs):
        renew(epoch)
        mean_loss = _epoch(learner, training, epoch, train=train, frozen=frozen, seed=seed, loss=loss)
        record = {"train/loss": mean_loss, "train/learning_rate": learning_rate(epoch, frozen)}
        if epoch + 1 == frozen.epochs:
            record |= _validate(learner.result, validation, loss, metrics)
        history.append(record)
    return tuple(history)


def _epoch(
    learner: Learner, training: Split, epoch: int, *, train: Train, frozen: Frozen, seed: int, loss: Loss
) -> float:
    views_BC = training.views[epoch % len(training.views)]
    batches = shuffled(len(views_BC), frozen.batch, seed=seed, purpose="train", epoch=epoch)
    if not batches:
        raise PlainError(
            f"frozen.batch is {frozen.batch}, but there are only {len(views_BC)} training videos; lower it"
        )
    learner.model.train()
    total = 0.0
    for step, batch in enumerate(batches):
        rows = torch.tensor([pick.row for pick in batch], device=views_BC.device)
        torch.manual_seed(seed_of(seed, "step", epoch, step))
        set_rate(learner.optimizer, learning_rate(epoch + step / len(batches), frozen))
        value = loss(learner.model.logits(views_BC[rows], training.sounds[rows]), training.targets[rows])
        if not isfinite(value.item()):
            raise PlainError(f"the loss is not a finite number in epoch {epoch + 1}; lower frozen.learning_rate")
        _step(learner, value, train)
        total += value.item()
    return total / len(batches)


def _step(learner: Learner, value: Tensor, train: Train) -> None:
    learner.optimizer.zero_grad()
    value.backward()  # type: ignore[no-untyped-call]
    if train.gradient_clip is not None:
        nn.utils.clip_grad_norm_(learner.model.parameters(), train.gradient_clip)
    learner.optimizer.step()
    if learner.average:
        learner.average.update_parameters(learner.model)


@torch.no_grad()
def _validate(model: MultiActionModel, validation: Split, loss: Loss, metrics: Mapping[str, Metric]) -> Record:
    """The loss and the metrics on the validation videos, one view of each; nothing where there are none."""
    if not len(validation.targets):
        return {}
    model.eval()
    logits_BN = model.logits(validation.views[0], validation.sounds).cpu()
    targets_BN = validation.targets.cpu()
    scores, targets = logits_BN.sigmoid().numpy(), targets_BN.numpy()
    found = {f"val/{name}": metric(scores, targets) for name, metric in metrics.items()}
    return {"val/loss": float(loss(logits_BN, targets_BN))} | found
