"""Test on imported features: no video is decoded; a video's views are the imported ones.

Shapes: B videos, V views, C features, N actions.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.evaluate.frozen import scores_of
from pipeline.foundations.params import Evaluate
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.features import FeatureFolder
from pipeline.model.checkpoint import load_model
from pipeline.model.determinism import reproducible
from pipeline.model.sounds import sounds_of


class Seen(NamedTuple):
    """Some videos of a split with their imported views."""

    videos: pa.Table
    """Rows of the table `splits`."""
    features: np.ndarray
    """B x V x C."""


def score_imported(
    target: Path, split: pa.Table, model: Path, folder: FeatureFolder, whitened: Path, evaluate: Evaluate
) -> dict[str, int]:
    """Write `predictions.parquet`, and `excluded.parquet` without rows, into the folder `target`; returns their rows.

    Raises:
        PlainError: there is no model or no video, or a video's vectors are not there.
    """
    if not split.num_rows:
        raise PlainError(f"evaluate.split: found no labelled video in {evaluate.split}, expected some; set val or test")
    network, description = load_model(model)
    ids = split["video_id"].combine_chunks()
    sounds_BP = sounds_of(ids, whitened) if description.design.model.late_fusion else None

    def scored() -> Iterator[pa.Table]:
        begun = 0
        for seen in views_of(split, folder, evaluate.split):
            part = slice(begun, begun + seen.videos.num_rows)
            own_BP = None if sounds_BP is None else sounds_BP[part]
            scores_BN = scores_of(network, seen.features[:, :, None], own_BP, evaluate)
            columns = {"video_id": seen.videos["video_id"], "actions": seen.videos["actions"], "scores": scores_BN}
            yield tables.from_columns("predictions", columns)
            begun = part.stop

    with reproducible(threads=1):
        rows = tables.write_stream("predictions", target / "predictions.parquet", scored())
    tables.write("exclusions", target / "excluded.parquet", tables.empty("exclusions"))
    return {"predictions": rows, "excluded": 0}


def write_view_features(target: Path, split: pa.Table, folder: FeatureFolder, name: str) -> int:
    """Write table `view_features` of the imported views of the split of that name; returns how many videos there are.

    Raises:
        PlainError: a video's vectors are not there.
    """
    return tables.write_stream("view_features", target, (_table(seen) for seen in views_of(split, folder, name)))


def _table(seen: Seen) -> pa.Table:
    videos, views, size = seen.features.shape
    columns = {
        "video_id": seen.videos["video_id"],
        "actions": seen.videos["actions"],
        "features": seen.features.reshape(videos, -1),
        "shape": [[views, 1, size]] * videos,
        "reason": [""] * videos,
    }
    return tables.from_columns("view_features", columns)


def views_of(split: pa.Table, folder: FeatureFolder, name: str) -> Iterator[Seen]:
    """The videos of the split of that name with their imported views, a row group at a time.

    Raises:
        PlainError: a video's vectors are not there.
    """
    begun = 0
    for features_BVC in folder.views_of(split["video_id"].combine_chunks(), name):
        yield Seen(split.slice(begun, len(features_BVC)), features_BVC)
        begun += len(features_BVC)
