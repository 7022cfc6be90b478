"""The learning rate, as a function of how far training has come."""

from math import cos, pi

from pipeline.foundations.params import Train

STEP = 0.1
"""Factor at each milestone (released: 1, 0.1, 0.01)."""


def learning_rate(epoch: float, train: Train) -> float:
    """The rate at `epoch`, whose fraction counts the steps within it.

    Through `warmup_epochs` it rises linearly from `warmup_rate` to what the schedule says at their end.
    """
    if epoch < train.warmup_epochs:
        goal = _scheduled(train.warmup_epochs, train)
        return train.warmup_rate + (goal - train.warmup_rate) * epoch / train.warmup_epochs
    return _scheduled(epoch, train)


def _scheduled(epoch: float, train: Train) -> float:
    """The rate without warm-up."""
    if train.schedule == "cosine":
        return train.learning_rate * 0.5 * (1.0 + cos(pi * epoch / train.epochs))
    passed = sum(epoch >= milestone for milestone in train.milestones)
    return train.learning_rate * STEP**passed
