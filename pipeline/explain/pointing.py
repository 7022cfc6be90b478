"""The pointing game (Zhang et al. 2016): how often an action's heat map points at the action, compared with guesses.

At every time for which a video's places are recorded, the heat's maximum in that frame either lies in the action's
square or does not. A pair of video and action scores the part of its times at which it does. Beside it stand the
chance of a random point (the square's part of the frame), of the frame's middle, and of pointing at another action
of the same video, which a heat that merely finds whatever moves would do as often.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.dataset.sample.places import Place
from pipeline.explain.gradcam import Heat
from pipeline.foundations.tables import tables
from pipeline.metrics.intervals import draw, estimate

TOLERANCE = 1.0
"""Frames between a recorded place and the nearest frame that the network was shown, at most."""
DECIMALS = 4


class Pointed(NamedTuple):
    """The hits of one action's heat in one video, as fractions of the judged times."""

    times: int
    """Recorded places that are near a frame which the network was shown."""
    heat: float
    """The heat's maximum is in the action's square."""
    other_action: float
    """It is in another action's square, mean over those of the video; NaN where it has but one action."""
    centre: float
    """The frame's middle is in the action's square."""
    chance: float
    """The square's part of the frame."""
    no_heat: float
    """There is no heat in the frame, and so no maximum."""


def judge(heat: Heat, own: Sequence[Place], others: Sequence[Sequence[Place]], fps: float) -> Pointed:
    """Judge the heat of one action.

    Args:
        heat: of the action.
        own: where the action is.
        others: where the video's other actions are, at the same times.
        fps: of the time line that the heat's ticks count on.
    """
    times = np.array([place.seconds for place in own]) * fps
    nearest = np.abs(times[:, None] - heat.ticks).argmin(1)
    near = np.abs(times - heat.ticks[nearest]) <= TOLERANCE
    judged = [int(time) for time in np.flatnonzero(near)]
    points = [point(heat.values[nearest[time]]) for time in judged]

    def hits(places: Sequence[Place]) -> list[bool]:
        return [at is not None and places[time].holds(*at) for time, at in zip(judged, points, strict=True)]

    return Pointed(
        len(judged),
        _mean(hits(own)),
        _mean([_mean(hits(places)) for places in others]),
        _mean([own[time].holds(0.5, 0.5) for time in judged]),
        _mean([own[time].area for time in judged]),
        _mean([at is None for at in points]),
    )


def point(heat_YX: np.ndarray) -> tuple[float, float] | None:
    """The middle of the hottest pixel, as parts of the width and of the height; None where there is no heat."""
    hottest = np.unravel_index(heat_YX.argmax(), heat_YX.shape)
    if heat_YX[hottest] <= 0:
        return None
    (y, x), (height, width) = hottest, heat_YX.shape
    return (float(x) + 0.5) / width, (float(y) + 0.5) / height


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def scores(pointing: pa.Table, *, bootstrap: int, seed: int) -> pa.Table:
    """The mean over all pairs, with intervals of a bootstrap over videos; a table of schema `pointing_scores`.

    Pairs of one video are drawn together. Rows: `heat`, `no_heat`, `chance` and `centre`; the heat's leads over the
    last two; and, over pairs of videos with several actions, `other_action` and the heat's lead over it.
    """
    groups = sorted(set(zip(pointing["model"].to_pylist(), pointing["layer"].to_pylist(), strict=True)))
    rows: list[tuple[object, ...]] = []
    for model, layer in groups:
        found = [row for row in pointing.to_pylist() if (row["model"], row["layer"]) == (model, layer)]
        rows += [(model, layer, *row) for row in _figures(found, bootstrap=bootstrap, seed=seed)]
    return tables.from_rows("pointing_scores", rows)


def _figures(pairs: Sequence[Mapping[str, float]], *, bootstrap: int, seed: int) -> list[tuple[object, ...]]:
    """Name, value, low and high of each figure, in percent, and the number of pairs it rests on."""
    videos, video_P = np.unique([pair["video_id"] for pair in pairs], return_inverse=True)
    draws_PR = draw(len(videos), bootstrap, seed)[video_P]
    heat, chance, centre, other_action, no_heat = (
        100.0 * np.array([pair[name] for pair in pairs])
        for name in ("heat", "chance", "centre", "other_action", "no_heat")
    )
    figures = {
        "heat": heat,
        "no_heat": no_heat,
        "chance": chance,
        "centre": centre,
        "lead_chance": heat - chance,
        "lead_centre": heat - centre,
        "other_action": other_action,
        "lead_other_action": heat - other_action,
    }
    rows = []
    for name, values_P in figures.items():
        known = ~np.isnan(values_P)
        if known.any():
            weights_PR = draws_PR[known]
            with np.errstate(invalid="ignore"):  # a draw without any pair has no figure
                over_draws_R = values_P[known] @ weights_PR / weights_PR.sum(axis=0)
            lowest = -100.0 if name.startswith("lead") else 0.0
            found = estimate(float(values_P[known].mean()), over_draws_R, lowest=lowest)
            rows.append((name, *np.round(found, DECIMALS), int(known.sum())))
    return rows
