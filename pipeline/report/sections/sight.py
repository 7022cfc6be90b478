"""What the model looks at: Grad-CAM of some videos, and the pointing game."""

from base64 import b64encode
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.report.run_tables import RunTables
from pipeline.report.sections.result import Figure

CHOSEN = {
    "by name": "",
    "by score": "Chosen are the videos that the model ranks best, so they are no fair sample of it.",
    "by gain": "Chosen are the videos that gain most over the baseline, so they are no fair sample of either.",
}
"""How the videos were chosen, as shown on the page."""


class View(NamedTuple):
    """A video under one model's heat map for an action."""

    model: str
    score: float
    no_heat: bool
    """Whether there is no heat anywhere."""
    strip: str
    """A picture as a data URI."""
    moving: str


class Row(NamedTuple):
    """One action of a video: the model's view, and the baseline's beside it where there is one."""

    action: str
    own: bool
    """Whether it is among the video's labels."""
    views: list[View]


class Video(NamedTuple):
    """A video that is drawn."""

    video_id: str
    frames: str
    """A picture as a data URI."""
    rows: list[Row]
    files: list[str]
    """The pictures' files."""


class Pointing(NamedTuple):
    """How often the heat of one model at one layer points at the action; percent, and points for a lead."""

    model: str
    layer: str
    heat: Figure
    no_heat: Figure
    chance: Figure
    centre: Figure
    lead: Figure
    """Over chance."""
    other_action: Figure | None
    lead_other_action: Figure | None
    pairs: int
    pairs_of_several: int


class Sight(NamedTuple):
    """The section."""

    layer: str
    """Whose heat is drawn; empty where nothing is."""
    videos: list[Video]
    pointing: list[Pointing]
    sentence: str
    """The first row of the pointing game as a sentence; empty where there is none."""
    against: bool
    """Whether a baseline stands beside the model."""
    chosen: str
    """Why these videos."""


def sight(run_tables: RunTables) -> Sight:
    """What the model looks at."""
    rows: list[dict[str, Any]] = run_tables.drawn.to_pylist()
    layer = rows[0]["layer"] if rows else ""
    pointing = points(run_tables.pointing_scores, first=layer)
    against = any(row["model"] == "baseline" for row in rows)
    return Sight(
        layer,
        [_video(list(group), run_tables) for _, group in groupby(rows, itemgetter("number"))],
        pointing,
        _sentence(pointing[0]) if pointing else "",
        against,
        CHOSEN[rows[0]["chosen"]] if rows else "",
    )


def _video(rows: Sequence[dict[str, Any]], run_tables: RunTables) -> Video:
    """One video: the best scored action first, each under the model's heat and then under the baseline's."""
    ours = {row["action_id"]: row["score"] for row in rows if row["model"] == "model"}
    order = sorted(rows, key=lambda row: (-ours[row["action_id"]], row["action_id"], row["model"] != "model"))
    labels = _labels(rows[0]["video_id"], run_tables)
    shown = [
        Row(run_tables.names[action], action in labels, [_view(row, run_tables) for row in views])
        for action, views in groupby(order, itemgetter("action_id"))
    ]
    frames = rows[0]["frames"]
    files = [frames, *(row[kind] for row in order for kind in ("strip", "moving"))]
    return Video(rows[0]["video_id"], _inline(run_tables.pictures[frames]), shown, files)


def _labels(video_id: str, run_tables: RunTables) -> list[int]:
    known = run_tables.predictions.filter(pc.equal(run_tables.predictions["video_id"], video_id))["actions"].to_pylist()
    return known[0] if known else []


def _view(row: dict[str, Any], run_tables: RunTables) -> View:
    strip, moving = (_inline(run_tables.pictures[row[kind]]) for kind in ("strip", "moving"))
    return View(row["model"], 100.0 * row["score"], row["hottest"] == 0, strip, moving)


def _inline(webp: bytes) -> str:
    return f"data:image/webp;base64,{b64encode(webp).decode()}"


def points(scores: pa.Table, *, first: str) -> list[Pointing]:
    """The pointing game, the model's rows before the baseline's, one layer before the others."""
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in scores.to_pylist():
        found.setdefault((row["model"], row["layer"]), {})[row["row"]] = row
    order = sorted(found, key=lambda key: (key[0] != "model", key[1] != first, key[1]))
    return [_pointing(*key, found[key]) for key in order]


def _pointing(model: str, layer: str, rows: dict[str, dict[str, Any]]) -> Pointing:
    figures = {name: Figure(row["value"], row["low"], row["high"]) for name, row in rows.items()}
    return Pointing(
        model=model,
        layer=layer,
        heat=figures["heat"],
        no_heat=figures["no_heat"],
        chance=figures["chance"],
        centre=figures["centre"],
        lead=figures["lead_chance"],
        other_action=figures.get("other_action"),
        lead_other_action=figures.get("lead_other_action"),
        pairs=rows["heat"]["pairs"],
        pairs_of_several=rows["other_action"]["pairs"] if "other_action" in rows else 0,
    )


def _sentence(row: Pointing) -> str:
    """A row in words, as far as its intervals support them."""
    found = (
        f"At {row.layer} the heat is hottest inside the action's own square {row.heat.value:.1f}% of the time "
        f"({row.heat.low:.1f} to {row.heat.high:.1f}), where a random point would be {row.chance.value:.1f}%"
    )
    if row.other_action is None or row.lead_other_action is None:
        return f"{found}."
    lead = row.lead_other_action
    interval = f"{lead.value:+.1f} points ({lead.low:+.1f} to {lead.high:+.1f})"
    if lead.low > 0:
        told = f"more often than in another action's, by {interval}"
    elif lead.high < 0:
        told = f"less often than in another action's: {interval}"
    else:
        told = f"not told apart from how often it is in another action's: {interval}"
    return f"{found}. In videos of several actions that is {told}."
