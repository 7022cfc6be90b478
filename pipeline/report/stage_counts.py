"""How many rows each stage kept and excluded, and why, counted from the tables."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.report.run_tables import RunTables

VERDICTS = {
    "audible": "audible",
    "no_audio_stream": "no audio stream",
    "digital_silence": "digital silence",
    "below_threshold": "too faint",
    "undecodable": "undecodable",
}
"""The verdicts on sound tracks, in words."""


class Entry(NamedTuple):
    """A stage's counts."""

    kept: str
    """In a few words; the part after a colon is left out where space is short."""
    dropped: tuple[tuple[int, str], ...]
    """How many, and why."""


def stage_counts(run_tables: RunTables) -> dict[str, Entry]:
    """Every stage's entry, by its name."""
    entries: dict[str, Callable[[RunTables], Entry]] = {
        "index": _index,
        "filter_silent": _filter_silent,
        "split_mini": _split_mini,
        "fetch_weights": _fetch_weights,
        "extract_vggish": _extract_vggish,
        "whiten": _whiten,
        "build_audio_lexicon": _audio_lexicon,
        "build_text_lexicon": _text_lexicon,
        "build_adjacency": _adjacency,
        "prepare_clips": _prepare_clips,
        "train": _train,
        "evaluate": _evaluate,
        "explain": _explain,
    }
    return {name: entry(run_tables) for name, entry in entries.items()}


def exclusions(run_tables: RunTables) -> list[tuple[str, str, str]]:
    """Every video that a stage left out by name: stage, video and reason."""
    left_out = {
        "index": run_tables.missing,
        "extract_vggish": run_tables.unembedded,
        "prepare_clips": run_tables.uncopied,
        "evaluate": run_tables.unscored,
    }
    bad = run_tables.verdicts.filter(pc.equal(run_tables.verdicts["verdict"], "undecodable"))
    rows = [("filter_silent", row["video_id"], row["reason"]) for row in bad.to_pylist()]
    for stage, table in left_out.items():
        rows += [(stage, row["video_id"], row["reason"]) for row in table.to_pylist()]
    return rows


def verdicts_by_split(run_tables: RunTables) -> dict[str, Counter[str]]:
    """How often each verdict was given, in each split."""
    splits = run_tables.videos.select(["video_id", "split"])
    groups = run_tables.verdicts.join(splits, "video_id").group_by(["split", "verdict"]).aggregate([([], "count_all")])
    counts: dict[str, Counter[str]] = {split: Counter() for split in ("train", "val", "test")}
    for row in groups.to_pylist():
        counts[row["split"]][row["verdict"]] = row["count_all"]
    return counts


def occurrences(actions: pa.ChunkedArray, n: int) -> np.ndarray:
    """How many videos have each of n actions."""
    return np.bincount(actions.combine_chunks().flatten().to_numpy(), minlength=n)


def _reasons(table: pa.Table) -> tuple[tuple[int, str], ...]:
    """How many rows were left out for each reason, the commonest first."""
    return _counted(table["reason"].to_pylist())


def _counted(reasons: Iterable[str]) -> tuple[tuple[int, str], ...]:
    counts = Counter(reasons)
    return tuple((count, reason) for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _index(run_tables: RunTables) -> Entry:
    return Entry(
        f"{run_tables.videos.num_rows:,} videos of {run_tables.actions.num_rows:,} actions",
        _reasons(run_tables.missing),
    )


def _filter_silent(run_tables: RunTables) -> Entry:
    counts = Counter(run_tables.verdicts["verdict"].to_pylist())
    dropped = tuple((counts[verdict], words) for verdict, words in VERDICTS.items() if verdict != "audible")
    return Entry(f"{counts['audible']:,} audible videos", tuple(entry for entry in dropped if entry[0]))


def _split_mini(run_tables: RunTables) -> Entry:
    annotated = run_tables.videos.filter(pc.equal(run_tables.videos["split"], "train"))["video_id"].combine_chunks()
    out = annotated.filter(pc.invert(pc.is_in(annotated, run_tables.train["video_id"].combine_chunks())))
    verdicts = run_tables.verdicts.filter(pc.is_in(run_tables.verdicts["video_id"], out))["verdict"].to_pylist()
    unusable = ("no_audio_stream", "undecodable")
    why = [VERDICTS[verdict] if verdict in unusable else "not drawn" for verdict in verdicts]
    sizes = " / ".join(f"{table.num_rows:,}" for table in (run_tables.train, run_tables.val, run_tables.test))
    return Entry(f"{sizes} videos: to train, validate and test", _counted(why))


def _fetch_weights(run_tables: RunTables) -> Entry:
    return Entry(f"{len(run_tables.weights):,} files: {', '.join(sorted(run_tables.weights))}", ())


def _extract_vggish(run_tables: RunTables) -> Entry:
    audible = pc.sum(pc.equal(run_tables.verdicts["verdict"], "audible")).as_py() or 0
    return Entry(
        f"{audible - run_tables.unembedded.num_rows:,} embeddings of {_size(run_tables)}",
        _reasons(run_tables.unembedded),
    )


def _size(run_tables: RunTables) -> str:
    """Of an audio form, in words."""
    width = run_tables.audio["form"].type.list_size
    return f"{width // 128} x 128" if width % 128 == 0 else f"{width}"


def _whiten(run_tables: RunTables) -> Entry:
    components = run_tables.whitening.num_rows
    return Entry(f"{components:,} components" if components else "not whitened here", ())


def _audio_lexicon(run_tables: RunTables) -> Entry:
    forms = occurrences_of(run_tables.audio["action_id"], run_tables.actions.num_rows)
    bare = int((forms == 0).sum())
    return Entry(f"{run_tables.audio.num_rows:,} forms", ((bare, "actions without a form"),) if bare else ())


def occurrences_of(ids: pa.ChunkedArray, n: int) -> np.ndarray:
    """How often each of n action ids stands in a column."""
    return np.bincount(ids.to_numpy(), minlength=n)


def _text_lexicon(run_tables: RunTables) -> Entry:
    lost = [word for words in run_tables.text["missing"].to_pylist() for word in words]
    size = len(run_tables.text["form"][0])
    return Entry(
        f"{run_tables.text.num_rows:,} forms of {size}", tuple((1, f"word without a vector: {word}") for word in lost)
    )


def _adjacency(run_tables: RunTables) -> Entry:
    edges = run_tables.adjacency.filter(run_tables.adjacency["edge"])
    linked = set(edges["source"].to_pylist()) | set(edges["target"].to_pylist())
    alone = run_tables.actions.num_rows - len(linked)
    return Entry(f"{edges.num_rows:,} edges", ((alone, "actions without an edge"),) if alone else ())


def _prepare_clips(run_tables: RunTables) -> Entry:
    if "features" in run_tables.model:
        return Entry(f"{run_tables.train.num_rows + run_tables.val.num_rows:,} imported vectors", ())
    frames = pc.sum(pc.subtract(pc.list_value_length(run_tables.clips["offsets"]), 1)).as_py() or 0
    return Entry(f"{run_tables.clips.num_rows:,} copies, {frames:,} frames", _reasons(run_tables.uncopied))


def _train(run_tables: RunTables) -> Entry:
    epochs = max(step for curve in run_tables.curves.values() for step, _ in curve)
    return Entry(f"{epochs:,} epochs: {' + '.join(run_tables.model['design']['model']['heads'])}", ())


def _evaluate(run_tables: RunTables) -> Entry:
    return Entry(f"{run_tables.predictions.num_rows:,} videos scored", _reasons(run_tables.unscored))


def _explain(run_tables: RunTables) -> Entry:
    videos = len(set(run_tables.drawn["video_id"].to_pylist()))
    return Entry(f"{videos:,} videos drawn: {run_tables.neighbours.num_rows:,} neighbours", ())
