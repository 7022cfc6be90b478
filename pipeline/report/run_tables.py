"""The tables and small files of a run that the report reads."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.ablate.result import Result, read_all
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import mapped, tables
from pipeline.report.bench_rows import TABLE, Row, read_rows

TABLES = {
    "videos": ("videos", "data/index/videos.parquet"),
    "actions": ("actions", "data/index/actions.parquet"),
    "missing": ("exclusions", "data/index/missing.parquet"),
    "verdicts": ("verdicts", "data/audible/verdicts.parquet"),
    "unembedded": ("exclusions", "data/features/excluded.parquet"),
    "whitening": ("whitening", "data/features/whitening.parquet"),
    "train": ("splits", "data/splits/train.parquet"),
    "val": ("splits", "data/splits/val.parquet"),
    "test": ("splits", "data/splits/test.parquet"),
    "audio": ("audio", "data/lexicons/audio.parquet"),
    "text": ("text", "data/lexicons/text.parquet"),
    "adjacency": ("adjacency", "data/graph/adjacency.parquet"),
    "clips": ("clips", "data/clips/clips.parquet"),
    "uncopied": ("exclusions", "data/clips/excluded.parquet"),
    "predictions": ("predictions", "data/predictions/predictions.parquet"),
    "unscored": ("exclusions", "data/predictions/excluded.parquet"),
    "metrics": ("metrics", "data/predictions/metrics.parquet"),
    "per_action": ("per_action", "data/predictions/per_action.parquet"),
    "pointing_scores": ("pointing_scores", "data/explain/pointing_scores.parquet"),
    "drawn": ("drawn", "data/explain/drawn.parquet"),
    "playable": ("playable", "data/explain/playable.parquet"),
    "embedding": ("embedding", "data/explain/embedding.parquet"),
    "clustering": ("clustering", "data/explain/clustering.parquet"),
    "neighbours": ("neighbours", "data/explain/neighbours.parquet"),
    "boosts": ("boosts", "data/explain/boosts.parquet"),
    "compared": ("compared", "data/explain/compared.parquet"),
}
"""Each table of a run: its schema and its path."""
MODEL, WEIGHTS, CURVES = "models/m3a/model.json", "models/pretrained/weights.json", "data/curves"
PICTURES, ABLATIONS = "data/explain", "data/ablations"

BENCH = TABLE.as_posix()


@dataclass(frozen=True, kw_only=True)
class RunTables:
    """A finished run."""

    videos: pa.Table
    actions: pa.Table
    missing: pa.Table
    verdicts: pa.Table
    unembedded: pa.Table
    whitening: pa.Table
    train: pa.Table
    val: pa.Table
    test: pa.Table
    audio: pa.Table
    text: pa.Table
    adjacency: pa.Table
    clips: pa.Table
    uncopied: pa.Table
    predictions: pa.Table
    unscored: pa.Table
    metrics: pa.Table
    per_action: pa.Table
    pointing_scores: pa.Table
    drawn: pa.Table
    playable: pa.Table
    embedding: pa.Table
    clustering: pa.Table
    neighbours: pa.Table
    boosts: pa.Table
    compared: pa.Table
    model: dict[str, Any]
    """The trained model's description."""
    weights: dict[str, dict[str, Any]]
    """Entries of models/pretrained/weights.json, by file."""
    curves: dict[str, list[tuple[int, float]]]
    """Each learning curve by its name, as epoch and value."""
    pictures: dict[str, bytes]
    """Each picture and clip of data/explain, by its file."""
    ablations: list[Result]
    """The tables of `m3a ablate` that there are."""

    bench: list[Row]
    """The results of `make bench`; empty where it has not been run."""

    @property
    def names(self) -> list[str]:
        """The actions by id, in the data set's own words."""
        names: list[str] = self.actions["action"].to_pylist()
        return names


def read_run_tables(root: Path) -> RunTables:
    """Read the run below `root`.

    Raises:
        PlainError: a file is absent or not what it should be.
    """
    read = {name: _table(schema, root / path) for name, (schema, path) in TABLES.items()}
    return RunTables(
        **read,
        model=_json(root / MODEL),
        weights=_json(root / WEIGHTS),
        curves=read_curves(root / CURVES),
        pictures=read_pictures(root / PICTURES, read["drawn"], read["playable"]),
        bench=read_rows(root / TABLE) if (root / TABLE).exists() else [],
        ablations=read_all(root / ABLATIONS),
    )


def _table(schema: str, path: Path) -> pa.Table:
    """A table of a run; the forms of the audio lexicon, which may be many, are not held in memory."""
    if schema == "audio":
        return mapped.read(schema, path, ["action_id", "video_id"], "form")
    return tables.read(schema, path)


def read_pictures(folder: Path, drawn: pa.Table, playable: pa.Table) -> dict[str, bytes]:
    """The files that the tables `drawn` and `playable` name.

    Raises:
        PlainError: one of them is absent.
    """
    names = {name for column in ("frames", "strip", "moving") for name in drawn[column].to_pylist()}
    names |= {name for column in ("clip", "heard") for name in playable[column].to_pylist() if name}
    try:
        return {name: (folder / name).read_bytes() for name in sorted(names)}
    except OSError as error:
        raise PlainError(f"{folder}: cannot be read: {error}; run `dvc repro explain`") from error


def read_curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """DVCLive's curves: one tab-separated file each, whose last column is the value.

    Raises:
        PlainError: there is none, or a file is not of steps and numbers.
    """
    curves = {}
    for path in sorted(folder.rglob("*.tsv")):
        try:
            with path.open(encoding="utf-8", newline="") as file:
                _, *rows = csv.reader(file, delimiter="\t")
            name = path.relative_to(folder / "plots" / "metrics").with_suffix("").as_posix()
            curves[name] = [(int(row[0]), float(row[-1])) for row in rows]
        except (ValueError, IndexError) as error:
            raise PlainError(f"{path}: not a learning curve: {error}; run `dvc repro train`") from error
    if not curves:
        raise PlainError(f"{folder}: no learning curve is there; run `dvc repro train`")
    return curves


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlainError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise PlainError(f"{path}: found {type(content).__name__}, expected an object")
    return content
