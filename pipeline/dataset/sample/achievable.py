"""The best that a ranking of the bundled sample's actions can reach, by enumeration of the co-occurrence table.

With `render.hidden` above 0 a video does not show all that it is labelled with, so that even perfect sight leaves
doubt. From exactly the shown actions V, the posterior of the labels L is

    P(L | V) ~ P(L) (1 - h)^|V| h^(|L| - |V|)    where V is a subset of L,

P(L) being the table's. Two rankers of that sight are scored on all videos there can be:

    bayes        each action by its probability given all that is shown: what relations between actions can add up to
    independent  each action by its probability given only whether it is shown itself: no relation, as a linear
                 classifier of features in which every action is told by itself

The sound of the scored video is not among what they know; a model that hears it (`model.late_fusion`) may pass them.
Figures are those of infinitely many videos. Equal scores are one step of a ranking, as in `pipeline.metrics.metrics`.
Shapes: S label sets, O sets of shown actions, M pairs of the two that can be, N actions.
"""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from itertools import combinations, product
from math import prod
from typing import NamedTuple

import numpy as np

from pipeline.dataset.sample.cooccurrence import ACTIONS, GROUPS, MOST_ACTIONS, STRANGER_PERCENT

DECIMALS = 12
"""Scores that agree to so many decimals are equal."""


class Rankers(NamedTuple):
    """The scores of each ranker for every set of actions that a video can show."""

    shown: Mapping[frozenset[int], int]
    """Each set of shown actions, by its place in the arrays."""
    bayes: np.ndarray
    """O x N: the probability of each action."""
    independent: np.ndarray
    """O x N."""


class _Worlds(NamedTuple):
    """Every possible video: its labels and the actions it shows."""

    shown: dict[frozenset[int], int]
    """Each set of shown actions, by its number."""
    labels: np.ndarray
    """M x N."""
    seen: np.ndarray
    """M: numbers of sets of shown actions."""
    chances: np.ndarray
    """M."""


def label_sets() -> dict[frozenset[int], float]:
    """Every set of labels that a video can have, by action ids, with its probability; they add up to 1."""
    number = {action: index for index, action in enumerate(ACTIONS)}
    all_groups = sum(group.weight for group in GROUPS.values())
    found: dict[frozenset[int], float] = defaultdict(float)
    for group in GROUPS.values():
        all_leads = sum(lead.weight for lead in group.leads.values())
        strangers = [action for action in ACTIONS if action not in group.leads]
        for name, lead in group.leads.items():
            for there in product((False, True), repeat=len(lead.companions)):
                chances = (
                    percent / 100 if yes else 1 - percent / 100
                    for yes, percent in zip(there, lead.companions.values(), strict=True)
                )
                chance = group.weight / all_groups * lead.weight / all_leads * prod(chances)
                drawn = [name, *(companion for companion, yes in zip(lead.companions, there, strict=True) if yes)]
                for stranger in (None, *strangers):
                    part = STRANGER_PERCENT / 100 / len(strangers) if stranger else 1 - STRANGER_PERCENT / 100
                    actions = [*drawn, stranger] if stranger else drawn
                    found[frozenset(number[action] for action in actions[:MOST_ACTIONS])] += chance * part
    return dict(found)


@cache
def rankers(hidden: float) -> Rankers:
    """Both rankers' scores where each action is not shown with probability `hidden`."""
    worlds = _worlds(hidden)
    return Rankers(worlds.shown, _bayes(worlds), _independent(worlds, hidden))


@cache
def achievable(hidden: float) -> Mapping[str, Mapping[str, float]]:
    """Every metric of the two rankers, in percent: by `bayes` and `independent`, then by the metric's name."""
    worlds, scores = _worlds(hidden), rankers(hidden)
    return {name: _metrics(worlds, getattr(scores, name), scores.bayes) for name in ("bayes", "independent")}


def _worlds(hidden: float) -> _Worlds:
    shown: dict[frozenset[int], int] = {}
    rows: list[tuple[frozenset[int], int, float]] = []
    for labels, chance in label_sets().items():
        for size in range(len(labels) + 1):
            part = chance * (1 - hidden) ** size * hidden ** (len(labels) - size)
            if part:
                seen = (
                    shown.setdefault(frozenset(subset), len(shown)) for subset in combinations(sorted(labels), size)
                )
                rows.extend((labels, number, part) for number in seen)
    labels_MN = np.zeros((len(rows), len(ACTIONS)))
    for row, (labels, _, _) in enumerate(rows):
        labels_MN[row, list(labels)] = 1
    _, seen_M, chances_M = zip(*rows, strict=True)
    return _Worlds(shown, labels_MN, np.array(seen_M), np.array(chances_M))


def _chances(worlds: _Worlds) -> np.ndarray:
    """The probability of each set of shown actions (O)."""
    return np.bincount(worlds.seen, weights=worlds.chances)


def _bayes(worlds: _Worlds) -> np.ndarray:
    together_ON = np.zeros((len(worlds.shown), len(ACTIONS)))
    np.add.at(together_ON, worlds.seen, worlds.labels * worlds.chances[:, None])
    return np.asarray(np.round(together_ON / _chances(worlds)[:, None], DECIMALS))


def _independent(worlds: _Worlds, hidden: float) -> np.ndarray:
    frequency_N = worlds.chances @ worlds.labels
    unseen_N = frequency_N * hidden / (1 - frequency_N * (1 - hidden))
    scores_ON = np.tile(unseen_N, (len(worlds.shown), 1))
    for actions, row in worlds.shown.items():
        scores_ON[row, list(actions)] = 1.0
    return np.round(scores_ON, DECIMALS)


def _metrics(worlds: _Worlds, scores_ON: np.ndarray, truth_ON: np.ndarray) -> dict[str, float]:
    """Every metric of a ranking over all videos, in percent; `truth_ON` is each action's probability."""
    chances_O = _chances(worlds)
    best_ON = np.argsort(-scores_ON, axis=1, kind="stable")
    fractions = {
        "map_sample": float(worlds.chances @ _video_precisions(worlds, scores_ON)),
        "map_action": float(
            np.mean([_precision(scores_ON[:, n], chances_O, truth_ON[:, n]) for n in range(len(ACTIONS))])
        ),
        "map_micro": _precision(scores_ON.ravel(), np.repeat(chances_O, len(ACTIONS)), truth_ON.ravel()),
        "top1": _hits(worlds, best_ON[:, :1]),
        "top5": _hits(worlds, best_ON[:, :5]),
    }
    return {name: 100.0 * fraction for name, fraction in fractions.items()}


def _video_precisions(worlds: _Worlds, scores_ON: np.ndarray) -> np.ndarray:
    """The average precision of the ranking of each pair of labels and shown actions (M)."""
    as_high_ONN = (scores_ON[:, None, :] >= scores_ON[:, :, None]).astype(float)
    passed_ON = as_high_ONN.sum(axis=2)
    found_MN = np.einsum("mij,mj->mi", as_high_ONN[worlds.seen], worlds.labels)
    precision_MN = found_MN / passed_ON[worlds.seen]
    return np.asarray((precision_MN * worlds.labels).sum(axis=1) / worlds.labels.sum(axis=1))


def _precision(scores_K: np.ndarray, weights_K: np.ndarray, truth_K: np.ndarray) -> float:
    """Average precision of one ranking of K entries, each standing for a part of all videos."""
    _, group_K = np.unique(-scores_K, return_inverse=True)
    passed, found = (np.cumsum(np.bincount(group_K, weights=part)) for part in (weights_K, weights_K * truth_K))
    return float((found / passed * np.diff(found, prepend=0.0)).sum() / found[-1])


def _hits(worlds: _Worlds, best_OK: np.ndarray) -> float:
    """The part of all videos that have any of their K best scored actions."""
    hit_M = np.take_along_axis(worlds.labels, best_OK[worlds.seen], axis=1).any(axis=1)
    return float(worlds.chances @ hit_M)
