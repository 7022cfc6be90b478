"""Actions across the layers of a GCN by t-SNE (Figure 4, a to c), and how well linked actions cluster."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from sklearn.manifold import TSNE
from sklearn.metrics import roc_auc_score

from pipeline.explain.relations import cosines
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.seeds import seed_of

FEWEST = 4
"""Points that t-SNE needs."""
DECIMALS = 4


def plane(nodes_ND: np.ndarray, *, perplexity: float, seed: int) -> np.ndarray:
    """Places of N actions on a plane by t-SNE (N x 2), around 0; all 0 where they are too few.

    Starts from the principal components, so that the same nodes come out the same way up; exact, since N is small.

    Args:
        nodes_ND: node features.
        perplexity: how many neighbours count; lowered to a third of the others where there are few.
        seed: 63 bits.
    """
    actions = len(nodes_ND)
    if actions < FEWEST:
        return np.zeros((actions, 2))
    fitted = TSNE(
        perplexity=min(perplexity, (actions - 1) / 3), init="pca", method="exact", random_state=seed % 2**32
    ).fit_transform(nodes_ND.astype(np.float64))
    return np.asarray(fitted - fitted.mean(axis=0))


def embedding(layers: Mapping[str, Sequence[np.ndarray]], *, perplexity: float, seed: int) -> pa.Table:
    """Every action's place at every layer of every learner; a table of schema `embedding`."""
    rows = []
    for learner, nodes in layers.items():
        for layer, nodes_ND in enumerate(nodes):
            points = plane(nodes_ND, perplexity=perplexity, seed=seed_of(seed, "t-SNE", learner, layer))
            rows += [(learner, layer, action, *point) for action, point in enumerate(points.round(DECIMALS).tolist())]
    return tables.from_rows("embedding", rows)


def clustering(
    layers: Mapping[str, Sequence[np.ndarray]], smoothed: Mapping[str, Sequence[np.ndarray]], edge_NN: np.ndarray
) -> pa.Table:
    """Whether linked actions come together from layer to layer; a table of schema `clustering`.

    For comparison, the same for smoothing by the graph without weights.

    Args:
        layers: node features by learner, at the input and after each layer.
        smoothed: likewise, without weights.
        edge_NN: from the row's action to the column's; a pair is linked by an edge in either direction.
    """
    rows = [
        (learner, layer, learnt_ND.shape[1], linked_closer(learnt_ND, edge_NN), linked_closer(alone_ND, edge_NN))
        for learner, nodes in layers.items()
        for layer, (learnt_ND, alone_ND) in enumerate(zip(nodes, smoothed[learner], strict=True))
    ]
    return tables.from_rows("clustering", rows)


def linked_closer(nodes_ND: np.ndarray, edge_NN: np.ndarray) -> float:
    """The probability that a linked pair of actions is closer, by cosine, than an unlinked one; percent.

    50 where node features are independent of the graph; NaN where all pairs are linked, or none.
    """
    pairs = np.triu_indices(len(edge_NN), k=1)
    linked, close = (edge_NN | edge_NN.T)[pairs], cosines(nodes_ND)[pairs]
    known = ~np.isnan(close)
    if len(np.unique(linked[known])) < 2:
        return float("nan")
    return round(100.0 * float(roc_auc_score(linked[known], close[known])), DECIMALS)
