"""What the model relates: actions across the GCN's layers, learnt neighbours, and gains over a baseline."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from markupsafe import Markup

from pipeline.report.figures.layers import marked
from pipeline.report.run_tables import RunTables
from pipeline.report.sections.result import Figure

DATA = "data"
SCORED = 10
"""Actions of which a video's scores are shown."""


class Layer(NamedTuple):
    """The actions at one layer."""

    title: str
    drawing: Markup
    learnt: float
    """Probability that a linked pair is closer than an unlinked one; percent."""
    smoothed: float
    """Likewise, for graph smoothing without learnt weights."""


class Neighbour(NamedTuple):
    """An action beside another."""

    action: str
    strength: float
    shared: bool
    """Whether it is a neighbour both in the model and in the data."""


class Related(NamedTuple):
    """The neighbours of one action."""

    action: str
    learnt: list[list[Neighbour]]
    """One list a learner."""
    data: list[Neighbour]


class Boost(NamedTuple):
    """What one action gains over the baseline."""

    action: str
    positives: int
    model: float
    baseline: float
    boost: Figure


class Score(NamedTuple):
    """The scores of one action in one video, in percent."""

    action: str
    target: bool
    model: float
    baseline: float


class Mean(NamedTuple):
    """Average precision, mean over actions; percent."""

    model: float
    baseline: float
    chance: float


class Learnt(NamedTuple):
    """The section."""

    learners: dict[str, list[Layer]]
    """The layers of each learner that has any."""
    marked: list[str]
    """The actions that are marked in the drawings."""
    video: str
    """Whose actions they are."""
    names: list[str]
    """Of the learners that have neighbours to show."""
    related: list[Related]
    overlap: list[tuple[str, float, float]]
    """Each learner, the part of the strongest neighbours in the data that are among its own, and chance; percent."""
    boosts: list[Boost]
    """The largest first; empty without a baseline."""
    mean: Mean | None
    """Over the same actions; None without a baseline."""
    span: float
    """The largest bound of their intervals; points."""
    scores: dict[str, list[Score]]
    """Of each drawn video; empty without a baseline."""


def learnt(run_tables: RunTables) -> Learnt:
    """What the model relates."""
    videos = [row for row in run_tables.compared.to_pylist() if row["model"] == "model"]
    order = {row["video_id"]: row["number"] for row in run_tables.drawn.to_pylist()}
    videos.sort(key=lambda row: (-len(row["actions"]), order.get(row["video_id"], len(order))))
    chosen: list[int] = videos[0]["actions"] if videos else []
    neighbours = neighbours_of(run_tables.neighbours)
    names, relatives = related(run_tables)
    boosts = boosts_of(run_tables)
    bounds = [abs(bound) for row in boosts for bound in row.boost if not np.isnan(bound)]
    return Learnt(
        learners=layers_of(run_tables, chosen),
        marked=[run_tables.names[action] for action in chosen],
        video=videos[0]["video_id"] if videos else "",
        names=names,
        related=relatives,
        overlap=[
            (name, *_overlap(neighbours[name], neighbours.get(DATA, {}), len(run_tables.names))) for name in names
        ],
        boosts=boosts,
        mean=_mean(run_tables, boosts) if boosts else None,
        span=max(bounds, default=1.0) or 1.0,
        scores=scores_of(run_tables, order) if boosts else {},
    )


def related(run_tables: RunTables) -> tuple[list[str], list[Related]]:
    """The learners that have neighbours to show, and every action's, theirs and the data's."""
    neighbours = neighbours_of(run_tables.neighbours)
    names = sorted(set(neighbours) - {DATA})
    return names, [_related(action, names, neighbours, run_tables.names) for action in range(len(run_tables.names))]


def layers_of(run_tables: RunTables, chosen: Sequence[int]) -> dict[str, list[Layer]]:
    """The drawings of every learner, layer by layer, with some actions marked."""
    points: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for row in run_tables.embedding.to_pylist():
        points.setdefault((row["learner"], row["layer"]), []).append((row["x"], row["y"]))
    found: dict[str, list[Layer]] = {}
    for row in run_tables.clustering.to_pylist():
        learner, layer = row["learner"], row["layer"]
        title = f"after layer {layer}" if layer else "input"
        about = f"Actions on a plane by the {learner} GCN's node features: {title}"
        drawing = marked(
            np.array(points[learner, layer]), run_tables.names, chosen, name=f"layer-{learner}-{layer}", about=about
        )
        found.setdefault(learner, []).append(Layer(title, drawing, row["learnt"], row["smoothed"]))
    return found


Strengths = Mapping[int, Mapping[int, float]]
"""By action, then by neighbour, the strongest first."""


def neighbours_of(table: pa.Table) -> dict[str, Strengths]:
    """The neighbours of every action, by learner."""
    found: dict[str, dict[int, dict[int, float]]] = {}
    for row in table.to_pylist():
        found.setdefault(row["learner"], {}).setdefault(row["action_id"], {})[row["neighbour"]] = row["strength"]
    return dict(found)


def _related(action: int, learners: Sequence[str], found: Mapping[str, Strengths], names: Sequence[str]) -> Related:
    known, learnt = found.get(DATA, {}).get(action, {}), [found[name].get(action, {}) for name in learners]

    def listed(strengths: Mapping[int, float], others: Collection[int]) -> list[Neighbour]:
        return [Neighbour(names[other], strength, other in others) for other, strength in strengths.items()]

    return Related(
        names[action], [listed(strengths, known) for strengths in learnt], listed(known, set().union(*learnt))
    )


def _overlap(learnt: Strengths, known: Strengths, actions: int) -> tuple[float, float]:
    """The part of the data's strongest neighbours that are among the learnt ones, mean over actions; and chance."""
    shares = [len(set(learnt.get(action, ())) & set(others)) / len(others) for action, others in known.items()]
    most = max((len(others) for others in learnt.values()), default=0)
    return 100.0 * float(np.mean(shares)) if shares else float("nan"), 100.0 * most / max(actions - 1, 1)


def boosts_of(run_tables: RunTables) -> list[Boost]:
    """What each action gains over the baseline, the largest first; actions without a video are left out."""
    rows = [row for row in run_tables.boosts.to_pylist() if row["positives"]]
    rows.sort(key=lambda row: -row["boost"])
    return [
        Boost(
            run_tables.names[row["action_id"]],
            row["positives"],
            row["model"],
            row["baseline"],
            Figure(row["boost"], row["low"], row["high"]),
        )
        for row in rows
    ]


def _mean(run_tables: RunTables, boosts: Sequence[Boost]) -> Mean:
    """What both models reach, and a random order of the same videos."""
    chance = {row["action"]: row["chance"] for row in run_tables.per_action.to_pylist()}
    columns = [(row.model, row.baseline, chance[row.action]) for row in boosts]
    return Mean(*np.mean(columns, axis=0).tolist())


def scores_of(run_tables: RunTables, order: Mapping[str, int]) -> dict[str, list[Score]]:
    """The best scored actions of each drawn video, by the model and by the baseline (Figure 4, d and e)."""
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for row in run_tables.compared.to_pylist():
        rows.setdefault(row["video_id"], {})[row["model"]] = row
    return {video: _scores(rows[video], run_tables.names) for video in sorted(rows, key=lambda video: order[video])}


def _scores(rows: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> list[Score]:
    ours, theirs = rows["model"]["scores"], rows["baseline"]["scores"]
    targets = set(rows["model"]["actions"])
    best = sorted(range(len(ours)), key=lambda action: -max(ours[action], theirs[action]))[:SCORED]
    shown = sorted(targets | set(best), key=lambda action: -ours[action])
    return [Score(names[action], action in targets, 100 * ours[action], 100 * theirs[action]) for action in shown]
