"""What each stage kept and what it dropped, and why: counted from the tables, so that nothing goes missing unseen."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.report.evidence import Evidence

VERDICTS = {
    "audible": "audible",
    "no_audio_stream": "no audio stream",
    "digital_silence": "digital silence",
    "below_threshold": "too faint",
    "undecodable": "undecodable",
}
"""The verdicts on sound tracks, in words."""


class Entry(NamedTuple):
    """A stage's line in the ledger."""

    kept: str
    """In a few words; what follows a colon is left out where there is little room."""
    dropped: tuple[tuple[int, str], ...]
    """How many, and why."""


def ledger(evidence: Evidence) -> dict[str, Entry]:
    """Every stage's entry, by its name."""
    entries: dict[str, Callable[[Evidence], Entry]] = {
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
    return {name: entry(evidence) for name, entry in entries.items()}


def exclusions(evidence: Evidence) -> list[tuple[str, str, str]]:
    """Every video that a stage left out by name: stage, video and reason."""
    left_out = {
        "index": evidence.missing,
        "extract_vggish": evidence.unembedded,
        "prepare_clips": evidence.uncopied,
        "evaluate": evidence.unscored,
    }
    bad = evidence.verdicts.filter(pc.equal(evidence.verdicts["verdict"], "undecodable"))
    rows = [("filter_silent", row["video_id"], row["reason"]) for row in bad.to_pylist()]
    for stage, table in left_out.items():
        rows += [(stage, row["video_id"], row["reason"]) for row in table.to_pylist()]
    return rows


def verdicts_by_split(evidence: Evidence) -> dict[str, Counter[str]]:
    """How often each verdict was given, in each split."""
    splits = evidence.videos.select(["video_id", "split"])
    groups = evidence.verdicts.join(splits, "video_id").group_by(["split", "verdict"]).aggregate([([], "count_all")])
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


def _index(evidence: Evidence) -> Entry:
    return Entry(
        f"{evidence.videos.num_rows:,} videos of {evidence.actions.num_rows:,} actions", _reasons(evidence.missing)
    )


def _filter_silent(evidence: Evidence) -> Entry:
    counts = Counter(evidence.verdicts["verdict"].to_pylist())
    dropped = tuple((counts[verdict], words) for verdict, words in VERDICTS.items() if verdict != "audible")
    return Entry(f"{counts['audible']:,} audible videos", tuple(entry for entry in dropped if entry[0]))


def _split_mini(evidence: Evidence) -> Entry:
    annotated = evidence.videos.filter(pc.equal(evidence.videos["split"], "train"))["video_id"].combine_chunks()
    out = annotated.filter(pc.invert(pc.is_in(annotated, evidence.train["video_id"].combine_chunks())))
    verdicts = evidence.verdicts.filter(pc.is_in(evidence.verdicts["video_id"], out))["verdict"].to_pylist()
    unusable = ("no_audio_stream", "undecodable")
    why = [VERDICTS[verdict] if verdict in unusable else "not drawn" for verdict in verdicts]
    sizes = " / ".join(f"{table.num_rows:,}" for table in (evidence.train, evidence.val, evidence.test))
    return Entry(f"{sizes} videos: to train, validate and test", _counted(why))


def _fetch_weights(evidence: Evidence) -> Entry:
    return Entry(f"{len(evidence.weights):,} files: {', '.join(sorted(evidence.weights))}", ())


def _extract_vggish(evidence: Evidence) -> Entry:
    audible = pc.sum(pc.equal(evidence.verdicts["verdict"], "audible")).as_py() or 0
    return Entry(f"{audible - evidence.unembedded.num_rows:,} embeddings of 3 x 128", _reasons(evidence.unembedded))


def _whiten(evidence: Evidence) -> Entry:
    return Entry(f"{evidence.whitening.num_rows:,} components", ())


def _audio_lexicon(evidence: Evidence) -> Entry:
    forms = occurrences_of(evidence.audio["action_id"], evidence.actions.num_rows)
    bare = int((forms == 0).sum())
    return Entry(f"{evidence.audio.num_rows:,} forms", ((bare, "actions without a form"),) if bare else ())


def occurrences_of(ids: pa.ChunkedArray, n: int) -> np.ndarray:
    """How often each of n action ids stands in a column."""
    return np.bincount(ids.to_numpy(), minlength=n)


def _text_lexicon(evidence: Evidence) -> Entry:
    lost = [word for words in evidence.text["missing"].to_pylist() for word in words]
    size = len(evidence.text["form"][0])
    return Entry(
        f"{evidence.text.num_rows:,} forms of {size}", tuple((1, f"word without a vector: {word}") for word in lost)
    )


def _adjacency(evidence: Evidence) -> Entry:
    edges = evidence.adjacency.filter(evidence.adjacency["edge"])
    linked = set(edges["source"].to_pylist()) | set(edges["target"].to_pylist())
    alone = evidence.actions.num_rows - len(linked)
    return Entry(f"{edges.num_rows:,} edges", ((alone, "actions without an edge"),) if alone else ())


def _prepare_clips(evidence: Evidence) -> Entry:
    frames = pc.sum(pc.subtract(pc.list_value_length(evidence.clips["offsets"]), 1)).as_py() or 0
    return Entry(f"{evidence.clips.num_rows:,} copies, {frames:,} frames", _reasons(evidence.uncopied))


def _train(evidence: Evidence) -> Entry:
    epochs = max(step for curve in evidence.curves.values() for step, _ in curve)
    return Entry(f"{epochs:,} epochs: {' + '.join(evidence.model['model']['heads'])}", ())


def _evaluate(evidence: Evidence) -> Entry:
    return Entry(f"{evidence.predictions.num_rows:,} videos scored", _reasons(evidence.unscored))


def _explain(evidence: Evidence) -> Entry:
    videos = len(set(evidence.drawn["video_id"].to_pylist()))
    return Entry(f"{videos:,} videos drawn: {evidence.neighbours.num_rows:,} neighbours", ())
