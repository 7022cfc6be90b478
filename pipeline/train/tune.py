"""Choosing the rates of heads on the validation split, with the same budget for every design.

Every setting of the grid (`frozen.tune_learning_rates` x `tune_weight_decays` x `tune_epochs`) is trained from the same
tuning seeds. The best mean score on the validation videos is chosen; a setting that diverged for any seed is not. The
choice is then trained from fresh seeds; where one of these diverges, the next best takes its place.
"""

from collections.abc import Callable, Sequence
from itertools import product
from math import isfinite
from typing import Literal, NamedTuple

import numpy as np

from pipeline.foundations.params import Frozen
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables.seeds import seed_of
from pipeline.train.heads import Fitted, Trial

Role = Literal["tuning", "untuned", "tuned"]
Fit = Callable[[Sequence[Trial], bool], list[Fitted]]
"""Trains heads for some trials, with their weights where the second argument says so."""


class Rates(NamedTuple):
    """The tuned hyperparameters."""

    learning_rate: float
    weight_decay: float
    epochs: int

    def trials(self, seeds: Sequence[int]) -> list[Trial]:
        """A training from each seed."""
        return [Trial(seed, *self) for seed in seeds]


class Row(NamedTuple):
    """A row of table `trials`."""

    role: Role
    trial: int
    seed: int
    learning_rate: float
    weight_decay: float
    epochs: int
    map_sample: float
    diverged: bool
    chosen: bool


class Tuned(NamedTuple):
    """Result of tuning."""

    rates: Rates
    fitted: list[Fitted]
    """From the fresh seeds, with their weights."""
    rows: list[Row]

    @property
    def budget(self) -> dict[str, int]:
        """How many settings were tried from how many seeds, and how many of these trainings diverged."""
        tried = [row for row in self.rows if row.role == "tuning"]
        settings, seeds = len({row.trial for row in tried}), len({row.seed for row in tried})
        return {"settings": settings, "seeds": seeds, "diverged": sum(row.diverged for row in tried)}


def as_given(frozen: Frozen) -> Rates:
    """The rates as params.yaml has them."""
    return Rates(frozen.learning_rate, frozen.weight_decay, frozen.epochs)


def grid(frozen: Frozen) -> list[Rates]:
    """Every setting that is tried, in the order of its number."""
    return [Rates(*s) for s in product(frozen.tune_learning_rates, frozen.tune_weight_decays, frozen.tune_epochs)]


def tuning_seeds(seed: int, frozen: Frozen) -> list[int]:
    """Seeds that are none of the final ones."""
    return [seed_of(seed, "tuning", number) for number in range(frozen.tune_seeds)]


def rows_of(role: Role, number: int, fitted: Sequence[Fitted], *, chosen: bool) -> list[Row]:
    """Rows of table `trials` of one setting."""
    return [Row(role, number, *one.trial, one.score, one.diverged, chosen) for one in fitted]


def ranked(found: Sequence[Sequence[Fitted]]) -> list[int]:
    """Settings by their mean score, the best first; without those that diverged for a seed. Ties in their order."""
    means = [float(np.mean([one.score for one in fitted])) for fitted in found]
    whole = [number for number, mean in enumerate(means) if isfinite(mean)]
    return sorted(whole, key=lambda number: -means[number])


def tune(frozen: Frozen, fit: Fit, *, seed: int, seeds: Sequence[int]) -> Tuned:
    """Choose the rates of a design's heads, and train them from fresh seeds.

    Args:
        frozen: the grid.
        fit: trains heads.
        seed: of the run, which names the tuning seeds.
        seeds: fresh ones.

    Raises:
        PlainError: every setting diverged, or there are no validation videos.
    """
    settings, tuning = grid(frozen), tuning_seeds(seed, frozen)
    fitted = fit([trial for rates in settings for trial in rates.trials(tuning)], False)
    found = [fitted[start : start + len(tuning)] for start in range(0, len(fitted), len(tuning))]
    passed_over: list[Row] = []
    for number in ranked(found):
        final = fit(settings[number].trials(seeds), True)
        whole = not any(one.diverged for one in final)
        rows = rows_of("tuned", number, final, chosen=whole)
        if whole:
            tried = [row for n, one in enumerate(found) for row in rows_of("tuning", n, one, chosen=n == number)]
            return Tuned(settings[number], final, [*tried, *passed_over, *rows])
        passed_over += rows
    if all(one.diverged for one in fitted) or passed_over:
        raise PlainError("every setting of frozen.tune diverged; add lower rates to frozen.tune_learning_rates")
    raise PlainError("frozen.tune chooses on the validation split, which has no videos")
