"""`m3a graph`: how the actions of a data set relate, from its annotations alone, on one page.

annotations -> index of labels -> adjacency (training labels) -> edges by threshold, actions alone, strongest pairs
                               -> text lexicon                -> nearest by word
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset.annotations import Annotations, Split
from pipeline.dataset.index import Index, label_index
from pipeline.foundations.params import Adjacency
from pipeline.foundations.runtime.files import write_text
from pipeline.foundations.tables import tables
from pipeline.graph.cooccurrence import adjacency_table, edges
from pipeline.report.figures.matrices import cosine
from pipeline.report.figures.thresholds import threshold_curves
from pipeline.report.sections.relations import drawn_graph
from pipeline.report.sources import linked
from pipeline.report.templating import filled

THRESHOLDS = np.arange(1, 20) * 0.05
STRONGEST = 40
"""Pairs that the page lists."""
SPLITS: tuple[Split, ...] = ("train", "val", "test")
PAGE = "index.html"


class Edges(NamedTuple):
    """The graph at one threshold."""

    threshold: float
    edges: int
    isolated: int
    """Actions without an edge, either way."""


class Pair(NamedTuple):
    """Two actions i and j, and psi, the probability of j given i."""

    source: str
    target: str
    psi: float
    both: int
    of: int
    """Videos with the first."""


class Companions(NamedTuple):
    """An action and its relations to others."""

    action: str
    videos: int
    leaving: int
    arriving: int
    likeliest: str
    """The action with the largest psi; empty where none occurs with it."""
    nearest: str
    """The action with the nearest text form; empty without a text lexicon."""


class LabelGraph(NamedTuple):
    """Everything that the page says."""

    source: str
    """The layout of the annotations (`dataset.source`)."""
    labels: Index
    adjacency: pa.Table
    text: pa.Table | None
    """None unless word vectors for every action were given."""
    rule: Adjacency
    counted: str
    """The splits whose labels the graph counts."""
    merged: int
    """Labels that their line repeats."""
    everywhere: Edges
    """The graph by the same rule over all splits' labels."""


def build(
    annotations: Annotations, source: str, rule: Adjacency, *, splits: tuple[Split, ...], text: pa.Table | None = None
) -> LabelGraph:
    """Index the labels and count the graph.

    Args:
        annotations: as a reader of `pipeline.dataset` gives them.
        source: its name.
        rule: what an edge is.
        splits: whose labels are counted; the paper's graph is the training videos'.
        text: table `text`.
    """
    index = label_index(annotations)
    n = index.actions.num_rows
    counted = index.videos.filter(pc.is_in(index.videos["split"], pa.array(splits)))
    every = adjacency_table(index.videos["actions"], n, rule)
    return LabelGraph(
        source,
        index,
        adjacency_table(counted["actions"], n, rule),
        text,
        rule,
        " and ".join(splits),
        annotations.merged_labels,
        at_threshold(psi_of(every, n), rule.threshold, rule),
    )


def psi_of(adjacency: pa.Table, n: int) -> np.ndarray:
    """Psi of a table `adjacency`, N x N."""
    return np.asarray(adjacency["psi"].to_numpy().reshape(n, n))


def at_threshold(psi_NN: np.ndarray, threshold: float, rule: Adjacency) -> Edges:
    """How many edges there are at a threshold, and how many actions without one."""
    edge = edges(psi_NN, threshold=threshold, comparison=rule.comparison, symmetrize=rule.symmetrize)
    return Edges(float(threshold), int(edge.sum()), int(np.count_nonzero(~(edge | edge.T).any(axis=0))))


def by_threshold(graph: LabelGraph) -> list[Edges]:
    """The graph at thresholds from 0.05 to 0.95."""
    psi_NN = psi_of(graph.adjacency, graph.labels.actions.num_rows)
    return [at_threshold(psi_NN, round(float(threshold), 2), graph.rule) for threshold in THRESHOLDS]


def strongest(graph: LabelGraph, count: int = STRONGEST) -> list[Pair]:
    """The ordered pairs of two actions with the largest psi; among equals those seen together most often first."""
    names = graph.labels.actions["action"].to_pylist()
    table = graph.adjacency.filter(pc.not_equal(graph.adjacency["source"], graph.adjacency["target"]))
    table = table.filter(pc.greater(table["pair_count"], 0))
    ranked = table.sort_by(
        [("psi", "descending"), ("pair_count", "descending"), ("source", "ascending"), ("target", "ascending")]
    )
    return [
        Pair(names[row["source"]], names[row["target"]], row["psi"], row["pair_count"], row["source_count"])
        for row in ranked.slice(0, count).to_pylist()
    ]


def companions(graph: LabelGraph) -> list[Companions]:
    """Each action: its videos, its edges, the action most often with it and the nearest by word."""
    names = graph.labels.actions["action"].to_pylist()
    n = len(names)
    psi_NN = np.nan_to_num(psi_of(graph.adjacency, n))
    np.fill_diagonal(psi_NN, 0.0)
    edge_NN = graph.adjacency["edge"].to_numpy(zero_copy_only=False).reshape(n, n)
    counts = graph.adjacency["source_count"].to_numpy().reshape(n, n)[:, 0]
    near_NN = np.full((n, n), -np.inf)
    if graph.text is not None:
        near_NN = np.nan_to_num(cosine(tables.vectors(graph.text["form"])), nan=-np.inf)
        np.fill_diagonal(near_NN, -np.inf)
    return [
        Companions(
            names[i],
            int(counts[i]),
            int(edge_NN[i].sum()),
            int(edge_NN[:, i].sum()),
            names[int(psi_NN[i].argmax())] if psi_NN[i].any() else "",
            names[int(near_NN[i].argmax())] if np.isfinite(near_NN[i]).any() else "",
        )
        for i in range(n)
    ]


def write(graph: LabelGraph, folder: Path) -> Path:
    """Write the tables and the page into a folder; returns the page's path."""
    made = {"videos": graph.labels.videos, "actions": graph.labels.actions, "adjacency": graph.adjacency}
    for name, table in made.items():
        tables.write(name, folder / f"{name}.parquet", table)
    tables.write("exclusions", folder / "missing.parquet", graph.labels.missing)
    if graph.text is not None:
        tables.write("text", folder / "text.parquet", graph.text)
    write_text(folder / PAGE, render(graph))
    return folder / PAGE


def render(graph: LabelGraph) -> str:
    """The page, as HTML: the same bytes each time."""
    names = graph.labels.actions["action"].to_pylist()
    splits = Counter(graph.labels.videos["split"].to_pylist())
    labels = len(graph.labels.videos["actions"].combine_chunks().flatten())
    curve = by_threshold(graph)
    context = {
        "labels": graph,
        "n": len(names),
        "videos": graph.labels.videos.num_rows,
        "of_split": [(split, splits[split]) for split in SPLITS if splits[split]],
        "a_video": labels / max(graph.labels.videos.num_rows, 1),
        "here": at_threshold(psi_of(graph.adjacency, len(names)), graph.rule.threshold, graph.rule),
        "unlabelled": graph.labels.missing["video_id"].to_pylist(),
        "curve": curve,
        "curves": threshold_curves(
            [(step.threshold, step.edges, step.isolated) for step in curve], graph.rule.threshold
        ),
        "graph": drawn_graph(graph.adjacency, names),
        "pairs": strongest(graph),
        "companions": companions(graph),
        "wordless": _wordless(graph.text),
        "files_of": {"adjacency": ["adjacency.parquet"]},
    }
    return linked(filled("labels.html.jinja", context)) + "\n"


def _wordless(text: pa.Table | None) -> list[str]:
    return [] if text is None else sorted({word for words in text["missing"].to_pylist() for word in words})


def summary(graph: LabelGraph) -> list[tuple[str, str]]:
    """The findings, as pairs of a name and a sentence."""
    n = graph.labels.actions.num_rows
    here = at_threshold(psi_of(graph.adjacency, n), graph.rule.threshold, graph.rule)
    splits = Counter(graph.labels.videos["split"].to_pylist())
    labels = len(graph.labels.videos["actions"].combine_chunks().flatten())
    passing = f"psi {'>' if graph.rule.comparison == 'above' else '>='} {graph.rule.threshold:g}"
    lines = [
        ("layout", graph.source),
        (
            "labelled videos",
            f"{graph.labels.videos.num_rows:,} ({', '.join(f'{splits[name]:,} {name}' for name in SPLITS)})",
        ),
        ("actions", f"{n:,}; {labels / max(graph.labels.videos.num_rows, 1):.2f} a video"),
        ("repeats merged", f"{graph.merged:,} labels"),
        ("without label", f"{graph.labels.missing.num_rows:,} videos"),
        (f"edges, {graph.counted}", f"{here.edges:,} at {passing}; {here.isolated:,} actions have none"),
    ]
    if graph.counted != " and ".join(SPLITS):
        whole = graph.everywhere
        lines.append(("edges, all splits", f"{whole.edges:,} at {passing}; {whole.isolated:,} actions have none"))
    return lines
