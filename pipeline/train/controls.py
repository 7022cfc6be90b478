"""Controls: training with one ingredient removed, to see where a gain comes from (`model.control`).

    shuffled_forms    every action starts from another action's forms, the same mix-up for audio and text
    random_forms      forms of random numbers, with each column's own mean and deviation
    no_edges          A = I: no action hears of another
    rewired           another graph in which every action has as many edges out and in as before
    free_matrix       no graph and no forms: a free matrix in the GCN's place (`pipeline.model.heads.FreeMatrix`)

Every choice is named by the seed. Shapes: N actions, D features of a form.
"""

import numpy as np

from pipeline.foundations.params import Model
from pipeline.foundations.tables.seeds import generator

SWAPS = 20
"""Attempted swaps an edge; after some ten, a rewired graph has forgotten where it came from (Milo et al. 2003)."""


def controlled_forms(forms_ND: np.ndarray, model: Model, seed: int, lexicon: str) -> np.ndarray:
    """An action's forms as the control leaves them, N x D.

    Args:
        forms_ND: of a lexicon.
        model: whose control it is.
        seed: of the choice.
        lexicon: audio | text.
    """
    if model.control == "shuffled_forms":
        return np.asarray(forms_ND[derangement(len(forms_ND), seed)])
    if model.control == "random_forms":
        noise_ND = generator(seed, "control", model.control, lexicon).standard_normal(forms_ND.shape)
        return np.asarray(forms_ND.mean(axis=0) + forms_ND.std(axis=0) * noise_ND, dtype=forms_ND.dtype)
    return forms_ND


def controlled_edges(edges_NN: np.ndarray, model: Model, seed: int) -> np.ndarray:
    """The edges as the control leaves them, N x N, bool."""
    if model.control == "no_edges":
        return np.zeros_like(edges_NN)
    return rewired(edges_NN, seed) if model.control == "rewired" else edges_NN


def derangement(count: int, seed: int) -> np.ndarray:
    """An order in which nothing keeps its place (for a count of 1 it must): one random cycle through all."""
    cycle = generator(seed, "control", "shuffled_forms").permutation(count)
    order = np.empty(count, dtype=np.int64)
    order[cycle] = np.roll(cycle, 1)
    return order


def rewired(edges_NN: np.ndarray, seed: int) -> np.ndarray:
    """A random graph of the same degrees, without self-connections: two edges at a time swap their ends.

    a -> b and c -> d become a -> d and c -> b, where neither is there yet. A graph that has no other of its degrees
    stays as it is.
    """
    random = generator(seed, "control", "rewired")
    wired_NN, ends = edges_NN.copy(), np.argwhere(edges_NN)
    if len(ends) < 2:
        return wired_NN
    for first, second in random.integers(len(ends), size=(SWAPS * len(ends), 2)):
        (a, b), (c, d) = ends[first], ends[second]
        if a != d and c != b and not wired_NN[a, d] and not wired_NN[c, b]:
            wired_NN[a, b] = wired_NN[c, d] = False
            wired_NN[a, d] = wired_NN[c, b] = True
            ends[first, 1], ends[second, 1] = d, b
    return wired_NN
