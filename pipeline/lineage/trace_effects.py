"""What a video was used in: the pictures that explain its prediction, and every later result."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow.compute as pc

from pipeline.clips.imported import SPLITS
from pipeline.foundations.tables import tables
from pipeline.lineage.audit import lookup
from pipeline.lineage.consistency import TABLES
from pipeline.lineage.lock import Stage
from pipeline.lineage.tree import Node

DRAWN, POINTING = "data/explain/drawn.parquet", "data/explain/pointing.parquet"
GRAPH, WHITENING, MODEL = "data/graph/adjacency.parquet", "data/features/whitening.parquet", "models/m3a"
METRICS = "data/metrics.json"


def explanations(root: Path, video_id: str, names: Sequence[str]) -> Node | None:
    """Where the model looked: Grad-CAM pictures, and how often they point at the action."""
    pictures = [
        Node(
            f"{row['model']}'s heat of {names[row['action_id']]}",
            f"data/explain/{row['strip']}, at {row['layer']}, score {row['score']:.4f}, chosen {row['chosen']}",
        )
        for row in _rows(root, DRAWN, video_id)
    ]
    games = [
        Node(
            f"{row['model']}'s heat at {row['layer']} points at {names[row['action_id']]}",
            f"in {row['heat']:.0%} of {row['times']} places; by chance {row['chance']:.0%}",
        )
        for row in _rows(root, POINTING, video_id)
        if row["times"]
    ]
    return Node("explained by", "", (*pictures, *games)) if pictures or games else None


def used_in(root: Path, stages: Mapping[str, Stage], video_id: str, split: str) -> Node:
    """The tables with a row of it, and what was counted, fitted, trained or scored on it."""
    rows = {path: len(_rows(root, path, video_id)) for path, name in TABLES.items() if _names_videos(name)}
    held = {path: count for path, count in rows.items() if count}
    lines = [Node(path, "a row" if count == 1 else f"{count} rows") for path, count in held.items()]
    return Node("went into", "", (*lines, *_uses(stages, held, split)))


def _uses(stages: Mapping[str, Stage], held: Collection[str], split: str) -> Iterator[Node]:
    """Results over many videos, this one among them."""
    if split == "train":
        scope = _setting(stages, "build_adjacency", "adjacency.scope")
        if scope == "full" or (scope == "mini" and "data/splits/train.parquet" in held):
            yield Node(GRAPH, "its labels are counted")
        if _setting(stages, "whiten", "whitening.method") == "fit" and "data/features/vggish.parquet" in held:
            yield Node(WHITENING, "fitted on it, among others")
    if "train" in stages and _copied(stages, held, split):
        yield Node(MODEL, "trained on it" if split == "train" else "validated on it")
    if "data/predictions/predictions.parquet" in held:
        yield Node(METRICS, "scored on it, among others")


def _copied(stages: Mapping[str, Stage], held: Collection[str], split: str) -> bool:
    """Whether training sees a video: it has a copy; imported features of a split are all copied, without names."""
    if _setting(stages, "prepare_clips", "dataset.source") == "features":
        return split in SPLITS and f"data/splits/{split}.parquet" in held
    return "data/clips/clips.parquet" in held


def _setting(stages: Mapping[str, Stage], name: str, key: str) -> object:
    """A parameter as the stage ran with it, declared by itself or in its section; None where it has not run."""
    if name not in stages:
        return None
    params = stages[name].params
    return params[key] if key in params else lookup(params, key)


def _names_videos(schema: str) -> bool:
    return "video_id" in tables.SCHEMAS[schema].columns.names


def _rows(root: Path, path: str, video_id: str) -> list[dict]:
    if not (root / path).exists():
        return []
    table = tables.read(TABLES[path], root / path)
    found: list[dict] = table.filter(pc.equal(table["video_id"], video_id)).to_pylist()
    return found
