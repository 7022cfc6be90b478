"""Renders the sample: videos, annotation files in M-MiT's layout, and where each action is shown."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.engines import run_tasks
from pipeline.files import placed
from pipeline.media.write import write_video
from pipeline.params import Execution, Render
from pipeline.progress import track
from pipeline.sources.sample.cooccurrence import ACTIONS
from pipeline.sources.sample.plan import SPLIT_FILES, Plan, draw_plans
from pipeline.sources.sample.scenes import FPS, Track, film, tracks
from pipeline.sources.sample.sounds import RATE, hush, soundtrack

PLACE_EVERY = 6
"""Frames between two recorded places: 0.2 s."""
BATCH = 11
"""Videos a task."""


@dataclass(frozen=True)
class _Batch:
    """Some videos to render; what travels to a worker."""

    plans: Sequence[Plan]
    folder: Path
    render: Render

    def __call__(self) -> Path:
        for plan in self.plans:
            render_video(self.folder / plan.path, plan, self.render)
        return self.folder


def render_sample(target: Path, render: Render, execution: Execution) -> Mapping[str, int]:
    """Render the whole sample as the folder `target`, whole or not at all.

    Args:
        target: gets `moments_categories.txt`, an annotation file a split, `places.csv` and `videos/`.
        render: sizes, seed and shares of defects.
        execution: where the work runs.

    Returns:
        The number of videos, by defect; "intact" where there is none.
    """
    plans = draw_plans(render)
    with placed(target) as folder:
        for lead in sorted({plan.actions[0] for plan in plans}):
            (folder / "videos" / lead).mkdir(parents=True)
        _write_annotations(folder, plans)
        _write_places(folder / "places.csv", plans, render)
        batches = [_Batch(plans[at : at + BATCH], folder / "videos", render) for at in range(0, len(plans), BATCH)]
        for _ in track(run_tasks(batches, execution), total=len(batches), label="rendering the sample"):
            pass
    return Counter(plan.defect or "intact" for plan in plans)


def render_video(path: Path, plan: Plan, render: Render) -> None:
    """Draw, play and encode one video at `path`."""
    frames, samples = round(render.seconds * FPS), round(render.seconds * RATE)
    reel = film(render.seed, plan.path, _tracks(plan, render), frames=frames, height=render.height, width=render.width)
    size = (render.width, render.height)
    write_video(path, reel, size=size, fps=FPS, sound=_sound(plan, render.seed, samples), rate=RATE)
    if plan.defect == "truncated":
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])


def _sound(plan: Plan, seed: int, samples: int) -> np.ndarray | None:
    """The sound track, int16 of shape (samples,); None for a video without audio stream."""
    if plan.defect == "no audio stream":
        return None
    if plan.defect == "digital silence":
        return np.zeros(samples, dtype=np.int16)
    if plan.defect == "below threshold":
        return hush(seed, plan.path, samples)
    return soundtrack(seed, plan.path, plan.actions, samples)


def _tracks(plan: Plan, render: Render) -> list[Track]:
    frames = round(render.seconds * FPS)
    return tracks(render.seed, plan.path, plan.actions, frames=frames, height=render.height, width=render.width)


def _write_annotations(folder: Path, plans: Sequence[Plan]) -> None:
    """The vocabulary and a file a split, as M-MiT ships them."""
    index = {action: number for number, action in enumerate(ACTIONS)}
    categories = "".join(f"{action},{number}\n" for action, number in index.items())
    (folder / "moments_categories.txt").write_text(categories, encoding="utf-8", newline="\n")
    for split, file in SPLIT_FILES.items():
        lines = (
            ",".join([plan.path, *(str(number) for number in sorted(index[action] for action in plan.actions))])
            for plan in plans
            if plan.split == split
        )
        (folder / file).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def _write_places(path: Path, plans: Sequence[Plan], render: Render) -> None:
    """Where each action is shown, every PLACE_EVERY frames, in pixels; for scoring localization, never for training."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["video", "action", "frame", "x", "y", "width", "height"])
        for plan in plans:
            for shown in _tracks(plan, render):
                for frame in range(0, len(shown.places), PLACE_EVERY):
                    place = shown.places[frame]
                    writer.writerow([plan.path, shown.action, frame, place.x, place.y, place.side, place.side])
