"""The learning rate schedule."""

from math import cos, pi

from pipeline.foundations.params import Schedule

STEP = 0.1
"""Factor at each milestone (released: 1, 0.1, 0.01)."""


def learning_rate(epoch: float, schedule: Schedule) -> float:
    """The rate at `epoch`, whose fraction counts the steps within it.

    Through `warmup_epochs` it rises linearly from `warmup_rate` to what the schedule says at their end.
    """
    if epoch < schedule.warmup_epochs:
        goal = _scheduled(schedule.warmup_epochs, schedule)
        return schedule.warmup_rate + (goal - schedule.warmup_rate) * epoch / schedule.warmup_epochs
    return _scheduled(epoch, schedule)


def _scheduled(epoch: float, schedule: Schedule) -> float:
    """The rate without warm-up."""
    if schedule.schedule == "cosine":
        return schedule.learning_rate * 0.5 * (1.0 + cos(pi * epoch / schedule.epochs))
    passed = sum(epoch >= milestone for milestone in schedule.milestones)
    return schedule.learning_rate * STEP**passed
