"""Parts of a vocabulary that a table is measured on again.

Labels that machines make imply one another (Car, Vehicle): who finds the one has found the other, and a figure over all
labels counts it twice. And many of them are things, not activities. Shapes: B videos, N labels.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.ablate.result import Labels
from pipeline.dataset.annotations import Annotations
from pipeline.dataset.dataset import read_annotations
from pipeline.foundations.params import Dataset
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.manifest import ACTIVITIES
from pipeline.graph.cooccurrence import co_occurrence, conditional_probability

IMPLIED = 0.95
"""P(j | i) among training videos from which on label i implies label j."""
NO_RANK = -1.0
"""A score below all scores: a negative that is ranked last changes no average precision."""


class Part(NamedTuple):
    """Labels that are measured, and pairs of which the second does not count beside the first."""

    name: Labels
    kept: np.ndarray
    """N, bool."""
    implies: np.ndarray
    """Whether row i implies column j; N x N, float32, for a product."""

    def of(self, predictions: pa.Table) -> pa.Table:
        """Table `predictions` on these labels; a video that has none of them is left out.

        A label that another of the same video's implies is no positive and no negative there.
        """
        scores_BN = tables.vectors(predictions["scores"])
        targets_BN = tables.multi_hot(predictions["actions"], scores_BN.shape[1])
        implied_BN = targets_BN & (targets_BN.astype(np.float32) @ self.implies > 0)
        scores_BN = np.where(implied_BN, np.float32(NO_RANK), scores_BN)[:, self.kept]
        targets_BN = (targets_BN & ~implied_BN)[:, self.kept]
        rows = np.flatnonzero(targets_BN.any(axis=1))
        columns = {
            "video_id": predictions["video_id"].combine_chunks().take(pa.array(rows)),
            "actions": tables.lists([np.flatnonzero(own) for own in targets_BN[rows]], np.int16),
            "scores": scores_BN[rows],
        }
        return tables.from_columns("predictions", columns)


def parts_of(dataset: Dataset) -> list[Part]:
    """The parts of a data set's vocabulary; only imported features have any.

    Raises:
        PlainError: the annotations cannot be read, or an activity is none of the labels.
    """
    if dataset.source != "features":
        return []
    annotations = read_annotations(dataset)
    n = len(annotations.actions)
    every, nothing = np.ones(n, dtype=bool), np.zeros((n, n), dtype=np.float32)
    parts = []
    if (implies_NN := implications(annotations)).any():
        parts.append(Part("unimplied", every, implies_NN.astype(np.float32)))
    path = Path(dataset.folder, dataset.annotations, ACTIVITIES)
    if path.exists():
        parts.append(Part("activities", _named(path, annotations.actions), nothing))
    return parts


def implications(annotations: Annotations) -> np.ndarray:
    """Whether label i implies label j, N x N; of two that imply each other the rarer stays, or the later.

    So nothing implies itself by way of others, and the rarest label of a video always counts.
    """
    labels = [np.array(video.actions, np.int16) for video in annotations.videos if video.split == "train"]
    counts_NN = co_occurrence(tables.lists(labels, np.int16), len(annotations.actions))
    often_N = np.diag(counts_NN)
    ids_N = np.arange(len(often_N))
    rarer_NN = (often_N[:, None] < often_N) | ((often_N[:, None] == often_N) & (ids_N[:, None] > ids_N))
    return np.asarray((conditional_probability(counts_NN) >= IMPLIED) & rarer_NN)


def _named(path: Path, actions: tuple[str, ...]) -> np.ndarray:
    names = path.read_text(encoding="utf-8").splitlines()
    if strange := [name for name in names if name not in actions]:
        raise PlainError(f"{path}: found {strange[0]!r}, which is no label of the data")
    return np.isin(np.array(actions), names)
