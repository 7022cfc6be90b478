"""The graph against counts made by hand and by the literal formula."""

import itertools

import numpy as np
import pyarrow as pa
import pytest

from pipeline.foundations.tables import tables
from pipeline.graph import cooccurrence

# Five actions: 0 swimming, 1 diving, 2 splashing, 3 singing, 4 never seen.
LABELS = [[0], [0, 1], [0, 1, 2], [0, 2], [1, 2], [3], [0, 3]]


def column(labels: list[list[int]]) -> pa.ChunkedArray:
    columns = {
        "video_id": [f"v{number:04d}" for number in range(len(labels))],
        "actions": labels,
        "drawn_for": [None] * len(labels),
    }
    return tables.from_columns("splits", columns)["actions"]


def literal(labels: list[list[int]], n: int) -> np.ndarray:
    """count(i and j), word for word."""
    counts = np.zeros((n, n), dtype=np.int64)
    for i, j in itertools.product(range(n), repeat=2):
        counts[i, j] = sum(1 for actions in labels if i in actions and j in actions)
    return counts


def test_counts_by_hand():
    counts = cooccurrence.co_occurrence(column(LABELS), 5)
    assert counts.dtype == np.int64
    assert counts.tolist() == [[5, 2, 2, 1, 0], [2, 3, 2, 0, 0], [2, 2, 3, 0, 0], [1, 0, 0, 2, 0], [0, 0, 0, 0, 0]]


def test_counts_are_the_literal_ones_on_many_rows():
    rng = np.random.default_rng(0)
    labels = [sorted(rng.choice(30, size=rng.integers(1, 6), replace=False).tolist()) for _ in range(400)]
    assert np.array_equal(cooccurrence.co_occurrence(column(labels), 30), literal(labels, 30))


def test_counts_of_a_part_of_a_column():
    whole = column(LABELS)
    parts = pa.chunked_array([whole.combine_chunks().slice(2, 2), whole.combine_chunks().slice(5, 2)])
    assert np.array_equal(cooccurrence.co_occurrence(parts, 5), literal([LABELS[i] for i in (2, 3, 5, 6)], 5))


def test_no_video_at_all():
    assert cooccurrence.co_occurrence(column([]), 3).tolist() == [[0] * 3] * 3


def test_an_action_outside_the_vocabulary_is_refused():
    with pytest.raises(ValueError, match="indices must be < 5"):
        cooccurrence.co_occurrence(column([[0, 7]]), 5)


def test_conditional_probability_by_hand():
    psi = cooccurrence.conditional_probability(literal(LABELS, 5))
    assert psi[0].tolist() == [1.0, 2 / 5, 2 / 5, 1 / 5, 0.0]
    assert psi[1].tolist() == [2 / 3, 1.0, 2 / 3, 0.0, 0.0]
    assert psi[3].tolist() == [1 / 2, 0.0, 0.0, 1.0, 0.0]
    assert np.isnan(psi[4]).all()


def pairs(A: np.ndarray) -> set[tuple[int, int]]:
    return {(int(i), int(j)) for i, j in np.argwhere(A)}


@pytest.mark.parametrize(
    ("comparison", "symmetrize", "expected"),
    [
        ("above", "none", {(1, 0), (1, 2), (2, 0), (2, 1), (3, 0)}),
        ("at_least", "none", {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (3, 0)}),
        ("above", "or", {(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0)}),
        ("above", "and", {(1, 2), (2, 1)}),
        ("at_least", "and", {(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)}),
    ],
)
def test_edges_by_hand_at_threshold_two_fifths(comparison, symmetrize, expected):
    psi = cooccurrence.conditional_probability(literal(LABELS, 5))  # psi_01 = 2/5 lies on the threshold
    assert pairs(cooccurrence.edges(psi, threshold=0.4, comparison=comparison, symmetrize=symmetrize)) == expected


@pytest.mark.parametrize("symmetrize", ["none", "or", "and"])
@pytest.mark.parametrize("comparison", ["above", "at_least"])
def test_at_threshold_zero_no_self_connection_and_none_for_an_unseen_action(comparison, symmetrize):
    A = cooccurrence.edges(
        cooccurrence.conditional_probability(literal(LABELS, 5)),
        threshold=0.0,
        comparison=comparison,
        symmetrize=symmetrize,
    )
    assert not A.diagonal().any()
    assert not A[4].any()
    assert not A[:, 4].any()
    assert A[0, 1]
    assert A[1, 3] == (comparison == "at_least")  # psi is 0 there


def test_the_table_has_every_pair(params):
    table = cooccurrence.adjacency_table(column(LABELS), 5, params.adjacency)
    assert table.num_rows == 25
    rows = {(row["source"], row["target"]): row for row in table.to_pylist()}
    assert rows[1, 2] == {"source": 1, "target": 2, "source_count": 3, "pair_count": 2, "psi": 2 / 3, "edge": True}
    assert rows[0, 0] == {"source": 0, "target": 0, "source_count": 5, "pair_count": 5, "psi": 1.0, "edge": False}
    assert np.isnan(rows[4, 0]["psi"])
    assert not rows[4, 0]["edge"]


def test_the_table_is_written_in_order(params, tmp_path):
    table = cooccurrence.adjacency_table(column(LABELS), 5, params.adjacency)
    tables.write("adjacency", tmp_path / "a.parquet", table)
    read = tables.read("adjacency", tmp_path / "a.parquet")
    assert read["edge"].to_pylist() == table["edge"].to_pylist()  # already sorted by source and target


def test_the_closing_line_counts(params):
    table = cooccurrence.adjacency_table(column(LABELS), 5, params.adjacency)
    assert cooccurrence.summary(table, 5) == "5 edges between 5 actions; 1 actions have none; 1 never occur in training"
