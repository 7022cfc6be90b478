"""The multi-action graph (Section 3.1): co-occurrence of actions and edges.

    psi_ij = count(i and j) / count(i)        over training labels
    A_ij   = 1 where psi_ij > t, i != j       (released code: at or above t)

psi is not symmetric, although the paper calls the graph undirected: `adjacency.symmetrize`. How A becomes the
matrix of Equation 1 is `pipeline.graph.normalize`'s.
"""

from typing import Literal

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from pipeline.foundations.params import Adjacency
from pipeline.foundations.tables import tables


def adjacency_table(labels: pa.ChunkedArray, n: int, params: Adjacency) -> pa.Table:
    """Schema `adjacency`, all N x N pairs, from the action ids of each training video.

    The diagonal is among them, so that every action's count is in the table: psi_ii is 1, and no edge.
    """
    counts = co_occurrence(labels, n)
    psi = conditional_probability(counts)
    edge = edges(psi, threshold=params.threshold, comparison=params.comparison, symmetrize=params.symmetrize)
    source, target = (grid.reshape(-1).astype(np.int16) for grid in np.indices((n, n)))
    columns = {
        "source": source,
        "target": target,
        "source_count": np.repeat(np.diag(counts), n),
        "pair_count": counts.reshape(-1),
        "psi": psi.reshape(-1),
        "edge": edge.reshape(-1),
    }
    return tables.from_columns("adjacency", columns)


def co_occurrence(labels: pa.ChunkedArray, n: int) -> np.ndarray:
    """How many videos have both actions, N x N int64; on the diagonal, how many have the one.

    Labels as a sparse B x N matrix Y give Y^T Y, so that a million videos take a second.

    Raises:
        ValueError: an action id is not below `n`.
    """
    rows = labels.combine_chunks() if isinstance(labels, pa.ChunkedArray) else labels
    columns = rows.flatten().to_numpy()
    offsets = rows.offsets.to_numpy()
    Y = csr_array((np.ones(len(columns), dtype=np.int64), columns, offsets - offsets[0]), shape=(len(rows), n))
    Y.check_format()  # an id outside the vocabulary would be counted anywhere
    counts: np.ndarray = (Y.T @ Y).toarray()
    return counts


def conditional_probability(counts: np.ndarray) -> np.ndarray:
    """psi_ij = P(j | i), N x N; NaN in the row of an action that never occurs, since 0/0 is no probability."""
    occurrences = np.diag(counts)[:, None]
    psi = np.full(counts.shape, np.nan)
    np.divide(counts, occurrences, out=psi, where=occurrences > 0)
    return psi


def edges(
    psi: np.ndarray,
    *,
    threshold: float,
    comparison: Literal["above", "at_least"],
    symmetrize: Literal["none", "or", "and"],
) -> np.ndarray:
    """A as N x N booleans, without self-connections; an action that never occurs has no edge.

    Under `or` an edge either way is an edge both ways; under `and`, only both together are.
    """
    A = psi > threshold if comparison == "above" else psi >= threshold  # NaN compares as False
    A[:, np.isnan(np.diag(psi))] = False
    np.fill_diagonal(A, val=False)
    if symmetrize == "or":
        return A | A.T
    return A & A.T if symmetrize == "and" else A


def summary(table: pa.Table, n: int) -> str:
    """A summary of the graph, for the stage's last line."""
    edge = table["edge"].to_numpy().reshape(n, n)
    counts = table["source_count"].to_numpy().reshape(n, n)[:, 0]
    alone = int(np.count_nonzero(~(edge | edge.T).any(axis=0)))
    line = f"{int(edge.sum()):,} edges between {n} actions; {alone} actions have none"
    never = int(np.count_nonzero(counts == 0))
    return f"{line}; {never} never occur in training" if never else line
