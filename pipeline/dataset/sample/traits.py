"""Traits dealt out to actions by a seeded draw that knows nothing of groups.

Each kind of a trait (a shape, a colour, a rhythm) is given to equally many actions, and no two actions share
more than one trait. So no single trait tells an action, and any two actions differ in all but one.
"""

from collections.abc import Mapping, Sequence

import numpy as np


def deal(rng: np.random.Generator, actions: Sequence[str], traits: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """For each action, one kind of each trait; kinds are dealt anew until no two actions share two.

    Args:
        rng: of the draw.
        actions: who receives; their number is a multiple of each trait's number of kinds.
        traits: the kinds of each trait.
    """
    dealt: list[dict[str, str]] = [{} for _ in actions]
    for trait, kinds in traits.items():
        hand = [kind for kind in kinds for _ in range(len(actions) // len(kinds))]
        while True:
            order = rng.permutation(len(actions))
            trial = [{**one, trait: hand[place]} for one, place in zip(dealt, order, strict=True)]
            if most_shared(trial) <= 1:
                break
        dealt = trial
    return dealt


def most_shared(dealt: Sequence[Mapping[str, str]]) -> int:
    """The largest number of traits that any two actions have in common."""
    codes = [np.unique([one[trait] for one in dealt], return_inverse=True)[1] for trait in dealt[0]]
    shared = sum((code[:, None] == code[None, :]).astype(np.int64) for code in codes)
    return int(np.max(shared - len(codes) * np.eye(len(dealt), dtype=np.int64)))


def spread(rng: np.random.Generator, count: int, low: int, high: int) -> list[int]:
    """`count` integers spaced evenly from `low` to `high`, in drawn order: easy and hard ones alike."""
    values = [low + (high - low) * step // (count - 1) for step in range(count)]
    return [values[place] for place in rng.permutation(count)]
