"""One action: best hits, worst misses, confusions, precision-recall curve, thresholds, calibration."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.foundations.tables import tables
from pipeline.metrics.calibration import Reliability, reliability
from pipeline.metrics.mistaken import Mistaken, mistaken_for
from pipeline.metrics.retrieval import Choice, Curve, curve, threshold_for
from pipeline.report.run_tables import RunTables
from pipeline.report.sections.browse import paths_of
from pipeline.report.sections.learnt import Related

VIDEOS = 4
"""Hits, misses and false alarms that are shown of an action."""
OTHERS = 5
"""Actions that it is confused with."""
FORMS = 6
"""Training videos whose sound is one of its forms."""
WANTED = (0.5, 0.75, 0.9)
"""Precisions for which a threshold is given."""
BINS = 5
"""Of an action's own reliability: it has few positives."""
POINTS = 200
"""Of a curve that is drawn."""


class Clip(NamedTuple):
    """A video to play."""

    video_id: str
    path: str
    score: float
    """Percent; NaN for a training video, which nobody has scored."""


class Confusion(NamedTuple):
    """Another action that is ranked above this one."""

    action: str
    percent: float
    videos: int


class Portrait(NamedTuple):
    """The results of one action; empty lists where no scored video has it."""

    action: str
    anchor: str
    positives: int
    ap: float
    hits: list[Clip]
    misses: list[Clip]
    alarms: list[Clip]
    taken: list[Confusion]
    curve: list[tuple[float, float]]
    """Recall and precision, percent, by rising recall."""
    thresholds: list[tuple[float, Choice | None]]
    reliability: Reliability
    related: Related | None
    forms: list[Clip]
    all_forms: int


def anchor(action_id: int) -> str:
    """The id of an action on the page."""
    return f"action-{action_id}"


def portraits(run_tables: RunTables, values: Mapping[str, Any], related: Sequence[Related]) -> list[Portrait]:
    """Every action, in the order of the vocabulary.

    Args:
        run_tables: the run.
        values: the parameters by section.
        related: each action's neighbours; none where a model has no classifiers to compare.
    """
    scores_BN = tables.vectors(run_tables.predictions["scores"]).astype(np.float64)
    targets_BN = tables.multi_hot(run_tables.predictions["actions"], scores_BN.shape[1])
    mistaken = mistaken_for(scores_BN, targets_BN)
    ids, paths = run_tables.predictions["video_id"].to_pylist(), paths_of(run_tables, values)
    lending = _form_videos(run_tables)
    precisions = dict(zip(*(run_tables.per_action[name].to_pylist() for name in ("action_id", "ap")), strict=True))
    found = []
    for action, name in enumerate(run_tables.names):
        scores_B, own_B = scores_BN[:, action], targets_BN[:, action]
        takes = [Clip(video, paths[video], 100 * score) for video, score in zip(ids, scores_B.tolist(), strict=True)]
        order = np.argsort(-scores_B, kind="stable")
        own = [takes[place] for place in order if own_B[place]]
        seen = curve(scores_B, own_B) if own else None
        forms = lending.get(action, [])
        found.append(
            Portrait(
                action=name,
                anchor=anchor(action),
                positives=len(own),
                ap=precisions[action],
                hits=own[:VIDEOS],
                misses=own[VIDEOS:][::-1][:VIDEOS],
                alarms=[takes[place] for place in order if not own_B[place]][:VIDEOS],
                taken=_confusions(mistaken, action, run_tables.names),
                curve=_drawn(seen) if seen else [],
                thresholds=[(wanted, threshold_for(wanted, seen)) for wanted in WANTED] if seen else [],
                reliability=reliability(scores_B, own_B, bins=BINS),
                related=related[action] if related else None,
                forms=[Clip(video, paths[video], float("nan")) for video in forms[:FORMS]],
                all_forms=len(forms),
            )
        )
    return found


def overall(run_tables: RunTables) -> Reliability:
    """The reliability of all scores of all videos."""
    scores_BN = tables.vectors(run_tables.predictions["scores"])
    return reliability(scores_BN, tables.multi_hot(run_tables.predictions["actions"], scores_BN.shape[1]))


def _confusions(mistaken: Mistaken, action: int, names: Sequence[str]) -> list[Confusion]:
    """The actions most often ranked above an action, in videos that have it and not them."""
    fraction_N = mistaken.fraction[action]
    order = np.argsort(-np.nan_to_num(fraction_N, nan=-1.0), kind="stable")[:OTHERS]
    return [
        Confusion(names[other], 100.0 * float(fraction_N[other]), int(mistaken.videos[action, other]))
        for other in order if fraction_N[other] > 0
    ]  # fmt: skip


def _drawn(found: Curve) -> list[tuple[float, float]]:
    """The curve's points to draw, thinned where there are many."""
    places = np.unique(np.linspace(0, len(found.recall) - 1, min(POINTS, len(found.recall))).astype(int))[::-1]
    return [(100.0 * float(found.recall[place]), 100.0 * float(found.precision[place])) for place in places]


def _form_videos(run_tables: RunTables) -> dict[int, list[str]]:
    """By action, the training videos whose sounds are its forms; playable ones first."""
    playable = set(run_tables.playable["video_id"].to_pylist())
    found: dict[int, list[str]] = {}
    columns = (run_tables.audio[name].to_pylist() for name in ("action_id", "video_id"))
    for action, video in zip(*columns, strict=True):
        found.setdefault(action, []).append(video)
    return {
        action: sorted(videos, key=lambda video: (video not in playable, video)) for action, videos in found.items()
    }
