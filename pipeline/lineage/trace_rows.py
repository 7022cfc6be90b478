"""The lineage of a video and of an action: its row in every table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from pipeline.foundations.tables import tables
from pipeline.lineage import trace_effects
from pipeline.lineage.consistency import TABLES
from pipeline.lineage.lock import Stage
from pipeline.lineage.tree import Node

FIRST = 5
"""Predictions, neighbours and videos that are shown."""
ALIKE, COMPARED = 3, 5_000
"""Suggestions share this many first letters with the name that was given, and at most so many ids are compared."""


def video(root: Path, stages: Mapping[str, Stage], video_id: str) -> Node | None:
    """All that the tables say of a video; None where the index does not know it."""
    entry = _row(root, "data/index/videos.parquet", "video_id", video_id)
    if entry is None:
        missing = _row(root, "data/index/missing.parquet", "video_id", video_id)
        return (
            Node(video_id, "annotated, and left out by `index`", (Node("reason", missing["reason"]),))
            if missing
            else None
        )
    names = action_names(root)
    children = [
        Node("file", entry["path"], (Node("sha256", entry["sha256"]), Node("bytes", f"{entry['bytes']:,}"))),
        Node("labels", ", ".join(names[action] for action in entry["actions"])),
        Node("split", entry["split"]),
        _verdict(root, video_id),
        _draw(root, video_id, entry["split"], names),
        _embedding(root, video_id),
        _lexicon(root, video_id, names),
        _prediction(root, video_id, names),
        trace_effects.explanations(root, video_id, names),
        trace_effects.used_in(root, stages, video_id, entry["split"]),
    ]
    return Node(video_id, "a video", tuple(child for child in children if child is not None))


def action(root: Path, name: str) -> Node | None:
    """All that the tables say of an action, by its name; None where the vocabulary does not have it."""
    names = action_names(root)
    if name not in names:
        return None
    number = names.index(name)
    text = _row(root, "data/lexicons/text.parquet", "action_id", number)
    lexicon = _table(root, "data/lexicons/audio.parquet")
    forms = lexicon.filter(pc.equal(lexicon["action_id"], number))["video_id"].to_pylist() if lexicon else []
    shown = ", ".join(forms[:FIRST]) + (", ..." if len(forms) > FIRST else "")
    children = [
        Node("action id", str(number)),
        *_counts(root, number),
        Node("audio lexicon", f"{len(forms):,} forms: {shown}"),
        Node("text lexicon", f"words {text['words']}, without a vector: {text['missing']}" if text else "not built"),
        *_edges(root, number, names),
        *_average_precision(root, number),
    ]
    return Node(name, "an action", tuple(children))


def similar_video_ids(root: Path, what: str) -> list[str]:
    """Ids of videos that begin with the same letters, the first thousands of them: comparing all would take minutes."""
    videos = _table(root, "data/index/videos.parquet")
    if videos is None:
        return []
    alike = videos.filter(pc.starts_with(videos["video_id"], what[:ALIKE]))["video_id"]
    return list(alike[:COMPARED].to_pylist())


def _table(root: Path, path: str) -> Any:
    """A table of the pipeline, or None where its stage has not run."""
    return tables.read(TABLES[path], root / path) if (root / path).exists() else None


def _row(root: Path, path: str, key: str, value: Any) -> Mapping[str, Any] | None:
    table = _table(root, path)
    rows = table.filter(pc.equal(table[key], value)).to_pylist() if table is not None else []
    return rows[0] if rows else None


def action_names(root: Path) -> list[str]:
    """The vocabulary, by id; empty where it has not been read yet."""
    table = _table(root, "data/index/actions.parquet")
    return list(table["action"].to_pylist()) if table is not None else []


def _verdict(root: Path, video_id: str) -> Node | None:
    row = _row(root, "data/audible/verdicts.parquet", "video_id", video_id)
    if row is None:
        return None
    known = not np.isnan(row["seconds"])  # of imported features nothing was decoded
    loudness = known * f"{row['seconds']:.2f} s, peak {row['peak_dbfs']:.1f} dBFS, RMS {row['rms_dbfs']:.1f} dBFS"
    return Node("sound", row["verdict"], tuple(Node(line, "") for line in (loudness, row["reason"]) if line))


def _draw(root: Path, video_id: str, split: str, names: list[str]) -> Node:
    row = _row(root, f"data/splits/{split}.parquet", "video_id", video_id)
    if row is None:
        return Node("mini split", "not drawn")
    drawn_for = row["drawn_for"]
    return Node("mini split", "in, without a draw" if drawn_for is None else f"drawn for {names[drawn_for]}")


def _embedding(root: Path, video_id: str) -> Node | None:
    row = _row(root, "data/features/vggish.parquet", "video_id", video_id)
    if row is None:
        excluded = _row(root, "data/features/excluded.parquet", "video_id", video_id)
        return Node("sound embedding", f"none: {excluded['reason']}") if excluded else None
    values = np.asarray(row["embedding"])
    return Node("sound embedding", f"{values.size} values, mean {values.mean():.4f}, deviation {values.std():.4f}")


def _lexicon(root: Path, video_id: str, names: list[str]) -> Node:
    table = _table(root, "data/lexicons/audio.parquet")
    senses = table.filter(pc.equal(table["video_id"], video_id))["action_id"].to_pylist() if table is not None else []
    return Node("audio lexicon", "a form of " + ", ".join(names[sense] for sense in senses) if senses else "no form")


def _prediction(root: Path, video_id: str, names: list[str]) -> Node | None:
    row = _row(root, "data/predictions/predictions.parquet", "video_id", video_id)
    if row is None:
        excluded = _row(root, "data/predictions/excluded.parquet", "video_id", video_id)
        return Node("prediction", f"excluded: {excluded['reason']}") if excluded else None
    order = np.argsort(-np.asarray(row["scores"]), kind="stable")
    rank = {int(number): place for place, number in enumerate(order, start=1)}
    shown = sorted({*(int(number) for number in order[:FIRST]), *row["actions"]}, key=lambda number: rank[number])
    lines = [
        Node(
            f"{rank[number]}. {names[number]}",
            f"{row['scores'][number]:.4f}" + (", a label" * (number in row["actions"])),
        )
        for number in shown
    ]
    return Node("prediction", "by rank; its labels, and the best scored", tuple(lines))


def _counts(root: Path, number: int) -> list[Node]:
    videos = _table(root, "data/index/videos.parquet")
    counts = {"train": 0, "val": 0, "test": 0}
    for split, actions in zip(videos["split"].to_pylist(), videos["actions"].to_pylist(), strict=True):
        counts[split] += number in actions
    return [Node("videos", ", ".join(f"{count:,} {split}" for split, count in counts.items()))]


def _edges(root: Path, number: int, names: list[str]) -> list[Node]:
    """The actions it occurs with most, by the conditional probability."""
    graph = _table(root, "data/graph/adjacency.parquet")
    if graph is None:
        return []
    rows = graph.filter(pc.and_(pc.equal(graph["source"], number), pc.not_equal(graph["target"], number))).to_pylist()
    rows = sorted((row for row in rows if row["pair_count"]), key=lambda row: (-row["psi"], row["target"]))[:FIRST]
    lines = [Node(names[row["target"]], f"psi {row['psi']:.3f}" + (", an edge" * row["edge"])) for row in rows]
    return [Node("occurs with", "" if lines else "nothing", tuple(lines))]


def _average_precision(root: Path, number: int) -> list[Node]:
    """Its average precision."""
    row = _row(root, "data/predictions/per_action.parquet", "action_id", number)
    if row is None or not row["positives"]:
        return []
    interval = f"{row['low']:.1f} to {row['high']:.1f}; by chance {row['chance']:.1f}"
    return [Node("average precision", f"{row['ap']:.1f} % ({interval}), of {row['positives']:,} scored videos with it")]
