"""Confusion of actions where videos have several labels.

A confusion matrix wants one label a video. Here it is the ranking loss of Schapire and Singer (2000), pair by pair: of
the videos that have action i and not action j, the fraction that score j above i, a tie counting half. Of two actions
that a video has both, neither is mistaken for the other, however often they occur together. Averaged over each video's
own pairs instead, the same comparisons are scikit-learn's `label_ranking_loss`, but for ties, which that counts whole.
"""

from typing import NamedTuple

import numpy as np


class Mistaken(NamedTuple):
    """Actions against actions, N x N."""

    fraction: np.ndarray
    """i, j: of the videos with i and without j, those that score j above i; NaN where there is none, or i is j."""
    videos: np.ndarray
    """i, j: how many videos have i and not j."""


def mistaken_for(scores_BN: np.ndarray, targets_BN: np.ndarray) -> Mistaken:
    """How often each action is outscored by each other one that the video does not have.

    Args:
        scores_BN: of B videos and N actions.
        targets_BN: booleans.
    """
    actions = targets_BN.shape[1]
    without_BN = ~targets_BN
    lost, videos = np.zeros((actions, actions)), np.zeros((actions, actions), np.int64)
    for action in range(actions):
        own = targets_BN[:, action]
        scores, others = scores_BN[own], without_BN[own]
        above = (scores > scores[:, [action]]) + 0.5 * (scores == scores[:, [action]])
        lost[action], videos[action] = (above * others).sum(axis=0), others.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return Mistaken(lost / videos, videos)
