"""Related actions: neighbours by the learnt classifiers, and neighbours in the data.

The outputs of the audio and text GCNs are N x C matrices, the same for every video, each row a linear classifier of
its action. Two actions are learnt neighbours where their rows point the same way.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from pipeline.foundations.tables import tables
from pipeline.model.gcn import Gcn
from pipeline.model.heads import FullyConnected, JointHead, LexiconHead
from pipeline.model.model import MultiActionModel

DATA = "data"
"""What stands for a learner in the rows of psi."""
DECIMALS = 4


@torch.no_grad()
def classifiers(model: MultiActionModel) -> dict[str, np.ndarray]:
    """The rows that weigh a video's features, N x C, of every learner that has the same ones for each video."""
    if isinstance(model.head, FullyConnected):
        return {"fc": model.head.weight.cpu().numpy()}
    return {name: head.matrix(adjacency).cpu().numpy() for name, (head, adjacency) in _lexical(model).items()}


@torch.no_grad()
def node_features(model: MultiActionModel) -> dict[str, list[np.ndarray]]:
    """Each lexicon GCN's node features at its input and after each layer, N x any size (Figure 4, a to c).

    The visual GCN has none to show: its nodes differ by a scalar alone.
    """
    return {
        name: [nodes_ND.cpu().numpy() for nodes_ND in head.relation.propagate(adjacency, head.forms)]
        for name, (head, adjacency) in _lexical(model).items()
        if isinstance(head.relation, Gcn)
    }


@torch.no_grad()
def smoothed_features(model: MultiActionModel) -> dict[str, list[np.ndarray]]:
    """Node features smoothed by the graph alone, A^ applied once more at each layer: the control."""
    smoothed = {}
    for name, (head, adjacency) in _lexical(model).items():
        if isinstance(head.relation, Gcn):
            nodes = [head.forms]
            for _ in head.relation.weights:
                nodes.append(adjacency @ nodes[-1])
            smoothed[name] = [nodes_ND.cpu().numpy() for nodes_ND in nodes]
    return smoothed


def _lexical(model: MultiActionModel) -> dict[str, tuple[LexiconHead, Tensor]]:
    """The learners that start from a lexicon, each with the graph that they share."""
    head = model.head
    if not isinstance(head, JointHead):
        return {}
    return {name: (part, head.adjacency) for name, part in head.learners.items() if isinstance(part, LexiconHead)}


def cosines(rows_ND: np.ndarray) -> np.ndarray:
    """The cosine of every two rows, N x N; NaN with a row that is zero."""
    rows_ND = rows_ND.astype(np.float64)
    lengths_N = np.linalg.norm(rows_ND, axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(rows_ND @ rows_ND.T / np.outer(lengths_N, lengths_N))


def graph_of(adjacency: pa.Table, actions: int) -> tuple[np.ndarray, np.ndarray]:
    """The table's psi and edges, N x N, from the row's action to the column's; psi is NaN where unknown."""
    cells = adjacency["source"].to_numpy(), adjacency["target"].to_numpy()
    psi_NN, edge_NN = np.full((actions, actions), np.nan), np.zeros((actions, actions), dtype=bool)
    psi_NN[cells], edge_NN[cells] = adjacency["psi"].to_numpy(), adjacency["edge"].to_numpy(zero_copy_only=False)
    return psi_NN, edge_NN


def neighbours(learnt: Mapping[str, np.ndarray], psi_NN: np.ndarray, count: int) -> pa.Table:
    """The `count` strongest neighbours of each action, learnt and in the data; a table of schema `neighbours`.

    In the data, an action that never occurs together with another is no neighbour of it.
    """
    strengths = {name: cosines(rows_NC) for name, rows_NC in learnt.items()}
    strengths[DATA] = np.where(psi_NN > 0, psi_NN, np.nan)
    rows = []
    for learner, strength_NN in sorted(strengths.items()):
        for action, strength_N in enumerate(strength_NN):
            others = [other for other in np.argsort(-strength_N, kind="stable") if other != action]
            known = [other for other in others if not np.isnan(strength_N[other])][:count]
            rows += [
                (
                    learner,
                    action,
                    rank,
                    other,
                    round(strength_N[other], DECIMALS),
                    round(psi_NN[action, other], DECIMALS),
                )
                for rank, other in enumerate(known, start=1)
            ]
    return tables.from_rows("neighbours", rows)
