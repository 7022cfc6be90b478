"""The result: metrics beside their references, overall, by action and as a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset.sample.achievable import achievable
from pipeline.report.run_tables import RunTables

ABOUT = {
    "map_sample": "The authors' mAP: average precision of each video's ranking of actions, averaged over videos.",
    "map_action": "M-MiT's macro mAP: average precision of each action's ranking of videos, averaged over actions.",
    "map_micro": "Average precision of all pairs of video and action in one ranking.",
    "top1": "Videos whose best scored action is among theirs.",
    "top5": "Videos with any of the five best scored actions among theirs.",
}
"""What each metric says, in the order of the page."""


class Figure(NamedTuple):
    """A figure in percent with its interval (NaN where it has none)."""

    value: float
    low: float
    high: float


class Metric(NamedTuple):
    """A metric of the model and of its references."""

    name: str
    about: str
    model: Figure
    frequency: Figure
    chance: Figure
    lead: Figure


class Best(NamedTuple):
    """What the best possible ranking reaches on the bundled sample, and how near the model comes; percent."""

    metric: str
    related: float
    """By each action's probability given all that is shown."""
    independent: float
    """By each action's probability given whether it is shown itself."""
    of_related: float
    """The model's figure, as a percentage of `related`."""
    of_independent: float


class Lede(NamedTuple):
    """The three sentences under the title."""

    what: str
    data: str
    result: str


def lede(run_tables: RunTables, metrics: Sequence[Metric], split: str) -> Lede:
    """What this is, its data and its result."""
    audible = pc.sum(pc.equal(run_tables.verdicts["verdict"], "audible")).as_py() or 0
    first = metrics[0]
    return Lede(
        what=_what(run_tables.model.get("features")),
        data=f"This run read {run_tables.videos.num_rows:,} videos of {run_tables.actions.num_rows:,} actions, of "
        f"which {audible:,} can be heard, learnt from {run_tables.train.num_rows:,} and was scored on "
        f"{run_tables.predictions.num_rows:,} of the {split} split.",
        result=f"Its mean average precision by video is {first.model.value:.1f}% ({first.model.low:.1f} to "
        f"{first.model.high:.1f}), {_lead(first.lead)}.",
    )


def _what(features: Mapping[str, str] | None) -> str:
    """The data: videos, or imported features of real ones."""
    if features:
        return (
            f"Real data: {features['title']} ({features['licence']}). In the 3D-CNN's place stand imported features of "
            f"{features['of']} ({features['model']}), on which the heads of the ICCV 2021 paper are trained."
        )
    return (
        "A folder of labelled three-second videos goes in; a trained and tested CNN-GCN comes out, as in the "
        "ICCV 2021 paper of this name."
    )


def _lead(lead: Figure) -> str:
    """The lead over the frequency ranking in words, as far as its interval supports them."""
    interval = f"({lead.low:+.1f} to {lead.high:+.1f})"
    if lead.low > 0:
        return f"{lead.value:.1f} points {interval} above ranking by training frequency"
    if lead.high < 0:
        return f"{-lead.value:.1f} points {interval} below ranking by training frequency"
    return f"which is not told apart from ranking by training frequency: {lead.value:+.1f} points {interval}"


def metrics(table: pa.Table) -> list[Metric]:
    """The metrics, in the order of the page."""
    found = {(row["row"], row["metric"]): Figure(row["value"], row["low"], row["high"]) for row in table.to_pylist()}
    rows = ("model", "frequency", "chance", "lead")
    return [Metric(name, about, *(found[row, name] for row in rows)) for name, about in ABOUT.items()]


def best(metrics: Sequence[Metric], values: Mapping[str, Any]) -> list[Best]:
    """The achievable beside each metric; nothing for other data, or a sample that hides nothing.

    Args:
        metrics: of the model.
        values: the parameters by section.
    """
    hidden = values["render"]["hidden"]
    if values["dataset"]["source"] != "sample" or not hidden:
        return []
    reached = achievable(hidden)
    return [
        Best(
            metric.name,
            reached["bayes"][metric.name],
            reached["independent"][metric.name],
            *(100.0 * metric.model.value / reached[ranker][metric.name] for ranker in ("bayes", "independent")),
        )
        for metric in metrics
    ]


def actions(per_action: pa.Table) -> list[dict[str, Any]]:
    """The actions by falling average precision, those without a positive last."""
    rows: list[dict[str, Any]] = per_action.to_pylist()
    return sorted(rows, key=lambda row: (not row["positives"], -row["ap"] if row["positives"] else 0, row["action"]))
