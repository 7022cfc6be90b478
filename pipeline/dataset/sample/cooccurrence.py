"""The co-occurrence model of the bundled sample: which actions a video shows, stated as a table.

A video is drawn in four steps, all by integer arithmetic:

1. a group, by its weight;
2. a lead action in the group, by its weight; its name is the video's folder, as in M-MiT;
3. the lead's companions, in the table's order, each with its own probability, on its own;
4. in `STRANGER_PERCENT` of the videos one action of any other group, all equally likely.

A video has at most `MOST_ACTIONS` actions: once it is full, the steps that remain add nothing. The companion's
probabilities are P(companion | lead), not psi (DESIGN.md): psi_ij counts every video with i, led by i or not.
Weights give a moderate long tail; tests compute every marginal and conditional from this table exactly.

The table was written down from everyday life before anything was trained on the sample, and is not tuned.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

STRANGER_PERCENT = 8
MOST_ACTIONS = 4


class Lead(NamedTuple):
    """An action that a video can be about, and what it comes with."""

    weight: int
    """Relative to the other leads of the group."""
    companions: Mapping[str, int]
    """Per cent of this lead's videos that show the companion too, before the cap on actions."""


class Group(NamedTuple):
    """Actions that occur together in life."""

    weight: int
    """Relative to the other groups."""
    leads: Mapping[str, Lead]


GROUPS: Mapping[str, Group] = {
    "concert": Group(
        weight=25,
        leads={
            "performing": Lead(8, {"playing+music": 55, "singing": 45, "applauding": 25, "dancing": 20}),
            "singing": Lead(5, {"performing": 60, "playing+music": 45, "applauding": 15}),
            "playing+music": Lead(5, {"performing": 50, "singing": 35, "dancing": 15}),
            "dancing": Lead(4, {"performing": 40, "playing+music": 35, "applauding": 15}),
            "applauding": Lead(3, {"performing": 35, "singing": 15, "playing+music": 15}),
        },
    ),
    "match": Group(
        weight=19,
        leads={
            "playing+sports": Lead(8, {"running": 55, "kicking": 40, "cheering": 30}),
            "running": Lead(6, {"playing+sports": 40, "kicking": 20, "cheering": 10}),
            "kicking": Lead(3, {"playing+sports": 60, "running": 45}),
            "cheering": Lead(3, {"playing+sports": 45, "running": 15}),
        },
    ),
    "pool": Group(
        weight=15,
        leads={
            "swimming": Lead(7, {"splashing": 55, "diving": 20}),
            "splashing": Lead(4, {"swimming": 50, "diving": 10}),
            "diving": Lead(3, {"splashing": 60, "swimming": 45}),
        },
    ),
    "kitchen": Group(
        weight=15,
        leads={
            "cooking": Lead(7, {"stirring": 45, "frying": 40, "chopping": 30}),
            "frying": Lead(3, {"cooking": 70, "stirring": 35}),
            "stirring": Lead(3, {"cooking": 60, "frying": 20}),
            "chopping": Lead(3, {"cooking": 50}),
        },
    ),
    "workshop": Group(
        weight=10,
        leads={
            "hammering": Lead(4, {"sawing": 25, "drilling": 20}),
            "drilling": Lead(3, {"hammering": 30, "sawing": 15}),
            "sawing": Lead(3, {"hammering": 35, "drilling": 15}),
        },
    ),
    "weather": Group(
        weight=9,
        leads={
            "raining": Lead(5, {"storming": 45, "flooding": 30}),
            "storming": Lead(3, {"raining": 65, "flooding": 15}),
            "flooding": Lead(3, {"raining": 45}),
        },
    ),
    "office": Group(
        weight=7,
        leads={
            "typing": Lead(5, {"telephoning": 30}),
            "telephoning": Lead(4, {"typing": 40}),
        },
    ),
}

ACTIONS = tuple(sorted(action for group in GROUPS.values() for action in group.leads))
"""The vocabulary in index order; all 24 names are of the M-MiT V1 vocabulary."""


def draw_actions(rng: np.random.Generator) -> tuple[str, ...]:
    """The actions of one video, 1 to 4, the lead first."""
    group = GROUPS[_weighted(rng, {name: group.weight for name, group in GROUPS.items()})]
    lead = _weighted(rng, {action: lead.weight for action, lead in group.leads.items()})
    chosen = [lead]
    for companion, percent in group.leads[lead].companions.items():
        if rng.integers(100) < percent:
            chosen.append(companion)
    if rng.integers(100) < STRANGER_PERCENT:
        strangers = [action for action in ACTIONS if action not in group.leads]
        chosen.append(strangers[rng.integers(len(strangers))])
    return tuple(chosen[:MOST_ACTIONS])


def _weighted(rng: np.random.Generator, weights: Mapping[str, int]) -> str:
    """One name, drawn in proportion to its weight."""
    names = [name for name, weight in weights.items() for _ in range(weight)]
    return names[rng.integers(len(names))]
