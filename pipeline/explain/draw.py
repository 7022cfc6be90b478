"""Choose videos and draw Grad-CAM of their actions by each model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset.sample.places import Place
from pipeline.evaluate.testing import Video, pictures_of
from pipeline.explain import pictures
from pipeline.explain.boosts import compare, gains
from pipeline.explain.gradcam import Heat, video_heat
from pipeline.explain.models import Explained, load
from pipeline.foundations.media.frames import Pictures
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.params import Explain, Media
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import video_precisions
from pipeline.model.determinism import reproducible
from pipeline.model.positions import counted_at


class Subject(NamedTuple):
    """A video to draw."""

    number: int
    """Among those drawn, from 0."""
    video: Video
    actions: tuple[int, ...]
    """Those that are drawn: its own, or any that are asked for."""
    places: Mapping[int, Sequence[Place]]
    """Where each action is; empty where that is not known."""


class Drawn(NamedTuple):
    """A row of the table `drawn`."""

    number: int
    action_id: int
    model: str
    video_id: str
    chosen: str
    layer: str
    score: float
    hottest: float
    frames: str
    strip: str
    moving: str


def choose(models: Sequence[Explained], explain: Explain) -> list[str]:
    """The ids of the videos to draw.

    Where a number is asked for: those of several actions before the others, by the average precision of their own
    ranking (by its gain over the baseline where there is one), then by the mean score of their actions.

    Raises:
        PlainError: a named video was not scored.
    """
    ours = models[0].predictions
    ids: list[str] = ours["video_id"].to_pylist()
    if isinstance(explain.videos, tuple):
        unknown = sorted(set(explain.videos) - set(ids))
        if unknown:
            raise PlainError(f"explain.videos: {unknown[0]} is not among the scored videos")
        return list(explain.videos)
    scores_BN = tables.vectors(ours["scores"])
    targets_BN = tables.multi_hot(ours["actions"], scores_BN.shape[1])
    merits = dict(zip(ids, video_precisions(scores_BN, targets_BN).tolist(), strict=True))
    if len(models) > 1:
        merits = gains(compare(ours, models[1].predictions))
    several = dict(zip(ids, (targets_BN.sum(axis=1) > 1).tolist(), strict=True))
    strength = dict(zip(ids, np.mean(scores_BN, axis=1, where=targets_BN).tolist(), strict=True))
    order = sorted(merits, key=lambda video: (not several[video], -merits[video], -strength[video], video))
    return order[: explain.videos]


def how_chosen(models: Sequence[Explained], explain: Explain) -> str:
    """The criterion of `choose`: by name, score or gain."""
    if isinstance(explain.videos, tuple):
        return "by name"
    return "by gain" if len(models) > 1 else "by score"


def best_scored(scores_N: Sequence[float], actions: Sequence[int], count: int) -> tuple[int, ...]:
    """At most `count` of some actions, the best scored first."""
    return tuple(sorted(actions, key=lambda action: (-scores_N[action], action))[:count])


def draw(
    target: Path,
    models: Sequence[Explained],
    subjects: Sequence[Subject],
    *,
    explain: Explain,
    short_side: int,
    media: Media,
) -> pa.Table:
    """Write the pictures of some videos into the folder `target`; returns the table `drawn`.

    Args:
        target: the folder.
        models: this run's, and the baseline's.
        subjects: the videos.
        explain: what is drawn, and how large.
        short_side: of a frame as the networks see it; pixels.
        media: bounds of decoding.

    Raises:
        PlainError: a model cannot be read.
        Undecodable: a video has changed since it was scored.
    """
    rows: list[Drawn] = []
    layer, chosen = explain.layers[0], how_chosen(models, explain)
    with reproducible(threads=1), Guard(media) as guard:
        for model in models:
            network, description = load(model.folder)
            frames = description.design.frames
            for subject in subjects:
                seen, shown = (
                    pictures_of(subject.video, guard, media, frames=frames, short_side=side)
                    for side in (short_side, explain.short_side)
                )
                counted = counted_at(frames, seen.fps)
                heat = video_heat(network, seen.pixels, subject.actions, [layer], counted, clips=explain.clips)[layer]
                scores_N = scores_of(model, subject.video.video_id)
                for action, found in zip(subject.actions, heat, strict=True):
                    files = _write(target, subject, action, model.name, found, shown, explain.frames)
                    about = (subject.number, action, model.name, subject.video.video_id, chosen, layer)
                    rows.append(Drawn(*about, scores_N[action], float(found.values.max()), *files))
    return tables.from_rows("drawn", rows)


def scores_of(model: Explained, video_id: str) -> list[float]:
    """What a model predicted for a video, N scores.

    Raises:
        PlainError: it has not scored the video.
    """
    rows = model.predictions.filter(pc.equal(model.predictions["video_id"], video_id))["scores"].to_pylist()
    if not rows:
        raise PlainError(
            f"{model.folder}: its {model.name} has not scored {video_id}; evaluate both on the same videos"
        )
    scores_N: list[float] = rows[0]
    return scores_N


def _write(
    target: Path,
    subject: Subject,
    action: int,
    model: str,
    heat: Heat,
    video: Pictures,
    shown: int,
) -> tuple[str, str, str]:
    """Write the frames, the frames under the heat map of an action, and an animation; returns the files."""
    bare, stem = f"{subject.number:02d}-frames.webp", f"{subject.number:02d}-{action:03d}-{model}"
    ticks_K, pictures_KYXC = heat.ticks, video.pixels[heat.ticks]
    some = pictures.spread(len(ticks_K), shown)
    drawn_KYXC = pictures.overlay(pictures_KYXC, heat.values, hottest=float(heat.values.max()))
    drawn_KYXC = pictures.with_places(drawn_KYXC, ticks_K, subject.places.get(action, ()), video.fps)
    pictures.write_strip(target / bare, pictures_KYXC[some])
    pictures.write_strip(target / f"{stem}.webp", drawn_KYXC[some])
    pictures.write_moving(target / f"{stem}-moving.webp", drawn_KYXC, ticks_K, video.fps)
    return bare, f"{stem}.webp", f"{stem}-moving.webp"
