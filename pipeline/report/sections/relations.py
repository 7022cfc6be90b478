"""Relations between actions: the co-occurrence graph and the two lexicons."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from markupsafe import Markup

from pipeline.foundations.tables import tables
from pipeline.report.figures import matrices
from pipeline.report.figures.network import Edge, network
from pipeline.report.figures.scatter import plane, scatter
from pipeline.report.run_tables import RunTables


class Graph(NamedTuple):
    """The section on the graph."""

    heat: Markup
    network: Markup
    alone: list[str]
    """Actions without an edge."""


class Lexicons(NamedTuple):
    """The section on the lexicons."""

    audio_forms: str
    text_forms: str
    missing: list[str]
    plane: Markup
    text_heat: Markup
    audio_heat: Markup


def graph(run_tables: RunTables) -> Graph:
    """The graph of a run, drawn."""
    return drawn_graph(run_tables.adjacency, run_tables.names)


def drawn_graph(adjacency: pa.Table, actions: Sequence[str]) -> Graph:
    """A graph, table `adjacency`, as a heat map and as a network, in one order of its N actions."""
    n = len(actions)
    psi, edge = np.full((n, n), np.nan), np.zeros((n, n), dtype=bool)
    cells = adjacency["source"].to_numpy(), adjacency["target"].to_numpy()
    psi[cells], edge[cells] = adjacency["psi"].to_numpy(), adjacency["edge"].to_numpy(zero_copy_only=False)
    np.fill_diagonal(psi, np.nan)
    order = matrices.order_of(psi)
    names = [actions[action] for action in order]
    psi, edge = psi[np.ix_(order, order)], edge[np.ix_(order, order)]
    linked = np.flatnonzero(edge.any(axis=0) | edge.any(axis=1))
    place = {int(action): number for number, action in enumerate(linked)}
    edges = [Edge(place[int(i)], place[int(j)], float(psi[i, j])) for i, j in zip(*np.nonzero(edge), strict=True)]
    about = f"{len(edges)} edges between {n} actions"
    return Graph(
        matrices.heat_map(psi, names, name="psi", about=f"Heat map of psi; {about}", marked=edge),
        network([names[action] for action in linked], edges, name="network", about=f"Network of {about}"),
        sorted(set(names) - {names[action] for action in linked}),
    )


def lexicons(run_tables: RunTables) -> Lexicons:
    """Both lexicons, drawn."""
    text = tables.vectors(run_tables.text["form"])
    audio = mean_forms(run_tables)
    points, explained = plane(text)
    return Lexicons(
        f"{run_tables.audio.num_rows:,}",
        f"{run_tables.text.num_rows:,}",
        sorted({word for words in run_tables.text["missing"].to_pylist() for word in words}),
        scatter(points, explained, run_tables.names, name="plane", about="Text forms on their first two components"),
        _similarity(text, run_tables.names, name="text-similarity", about="Cosine similarities of text forms"),
        _similarity(audio, run_tables.names, name="audio-similarity", about="Cosine similarities of mean audio forms"),
    )


def mean_forms(run_tables: RunTables) -> np.ndarray:
    """The mean audio form of each action, NaN where it has none (N x P)."""
    ids, forms = run_tables.audio["action_id"].to_numpy(), tables.vectors(run_tables.audio["form"])
    n = run_tables.actions.num_rows
    sums = np.zeros((n, forms.shape[1]))
    np.add.at(sums, ids, forms)
    counts = np.bincount(ids, minlength=n)[:, None]
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _similarity(forms_ND: np.ndarray, names: Sequence[str], *, name: str, about: str) -> Markup:
    cosine = matrices.cosine(forms_ND)
    order = matrices.order_of(cosine)
    return matrices.heat_map(cosine[np.ix_(order, order)], [names[action] for action in order], name=name, about=about)
