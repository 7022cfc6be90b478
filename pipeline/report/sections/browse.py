"""The scored videos one by one: labels, scores, precision and surprise."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import video_precisions
from pipeline.report import stage_counts
from pipeline.report.run_tables import RunTables

SHOWN = 400
"""Videos that the page lists at most: those with a clip, then others at even distances."""
BEST = 5
TINY = 1e-7
"""Lower bound of a score, so that no logarithm is infinite."""


class Scored(NamedTuple):
    """An action and its score in percent."""

    action: str
    score: float
    own: bool
    """Whether it is among the video's labels."""


class Video(NamedTuple):
    """A scored video."""

    video_id: str
    path: str
    """From the page's folder."""
    labels: list[str]
    best: list[Scored]
    precision: float
    """Average precision of its ranking; percent."""
    gain: float
    """Gain in precision over ranking by training frequency; points."""
    loss: float
    """Binary cross-entropy, mean over actions; nats."""
    surprise: float
    """-log2 of its labels' scores, mean over them; bits."""
    verdict: str
    """On its audio track, in words."""
    loudness: float
    """Root mean square of its sound; dB to full scale, -inf where there is none."""


def browse(run_tables: RunTables, values: Mapping[str, Any], shown: int = SHOWN) -> list[Video]:
    """The scored videos by id, at most `shown` of them."""
    table = run_tables.predictions
    scores_BN = tables.vectors(table["scores"]).astype(np.float64)
    targets_BN = tables.multi_hot(table["actions"], scores_BN.shape[1])
    frequency_N = stage_counts.occurrences(run_tables.train["actions"], scores_BN.shape[1]).astype(np.float64)
    precision_B = video_precisions(scores_BN, targets_BN)
    gain_B = precision_B - video_precisions(np.tile(frequency_N, (len(scores_BN), 1)), targets_BN)
    likely_BN = np.clip(np.where(targets_BN, scores_BN, 1.0 - scores_BN), TINY, 1.0)
    loss_B = -np.log(likely_BN).mean(axis=1)
    surprise_B = -np.log2(likely_BN).mean(axis=1, where=targets_BN)
    ids: list[str] = table["video_id"].to_pylist()
    paths, sounds = paths_of(run_tables, values), _sounds(run_tables)
    return [
        Video(
            ids[place],
            paths[ids[place]],
            [run_tables.names[action] for action in np.flatnonzero(targets_BN[place])],
            best(scores_BN[place], targets_BN[place], run_tables.names),
            precision=float(precision_B[place]),
            gain=float(gain_B[place]),
            loss=float(loss_B[place]),
            surprise=float(surprise_B[place]),
            verdict=sounds[ids[place]][0],
            loudness=sounds[ids[place]][1],
        )
        for place in _listed(ids, set(run_tables.playable["video_id"].to_pylist()), shown)
    ]


def best(scores_N: np.ndarray, targets_N: np.ndarray, names: list[str]) -> list[Scored]:
    """The best scored actions."""
    order = np.argsort(-scores_N, kind="stable")[:BEST]
    return [Scored(names[action], 100.0 * float(scores_N[action]), bool(targets_N[action])) for action in order]


def _listed(ids: list[str], playable: set[str], shown: int) -> list[int]:
    """Places of the listed videos: all that have a clip, then others evenly spread; rising."""
    first = [place for place, video in enumerate(ids) if video in playable][:shown]
    rest = [place for place, video in enumerate(ids) if video not in playable]
    room = min(shown - len(first), len(rest))
    spread = np.linspace(0, max(len(rest) - 1, 0), room).astype(int).tolist() if room else []
    return sorted([*first, *(rest[place] for place in spread)])


def paths_of(run_tables: RunTables, values: Mapping[str, Any]) -> dict[str, str]:
    """Every video's file, from the folder of the page: by a relative path, where the data set lies in the project."""
    folder = f"{values['dataset']['folder']}/{values['dataset']['videos']}"
    root = f"file://{folder}" if folder.startswith("/") else f"../../{folder}"
    columns = (run_tables.videos[name].to_pylist() for name in ("video_id", "path"))
    return {video: f"{root}/{path}" for video, path in zip(*columns, strict=True)}


def _sounds(run_tables: RunTables) -> dict[str, tuple[str, float]]:
    """The verdict on each video's sound, in words, and how loud it is."""
    rows = run_tables.verdicts.select(["video_id", "verdict", "rms_dbfs"]).to_pylist()
    return {row["video_id"]: (stage_counts.VERDICTS[row["verdict"]], row["rms_dbfs"]) for row in rows}
