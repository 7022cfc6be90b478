"""Renders the sample: draws, plays and encodes every planned video, and writes the files beside them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.dataset.sample.layout import plan_tracks, write_annotations, write_places
from pipeline.dataset.sample.plan import Plan, draw_plans
from pipeline.dataset.sample.scenes import FPS, film
from pipeline.dataset.sample.sounds import RATE, hush, soundtrack
from pipeline.dataset.sample.write import write_video
from pipeline.foundations.params import Execution, Render
from pipeline.foundations.runtime.engines import run_tasks
from pipeline.foundations.runtime.files import atomic_write
from pipeline.foundations.runtime.progress import track

BATCH = 11
"""Videos a task."""


@dataclass(frozen=True)
class _Batch:
    """A batch of videos to render, sent to a worker."""

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
        target: gets the annotation files, `places.csv` and `videos/`; what it held goes.
        render: sizes, seed and shares of defects.
        execution: where the work runs.

    Returns:
        The number of videos, by defect; "intact" where there is none.

    Raises:
        PlainError: the shares of defects do not fit, or a file cannot be written.
    """
    plans = draw_plans(render)
    with atomic_write(target) as folder:
        videos = folder / "videos"
        for lead in {plan.actions[0] for plan in plans}:
            (videos / lead).mkdir(parents=True)
        write_annotations(folder, plans)
        write_places(folder, plans, render)
        batches = [_Batch(plans[start : start + BATCH], videos, render) for start in range(0, len(plans), BATCH)]
        for _ in track(run_tasks(batches, execution), total=len(batches), label="rendering the sample"):
            pass
    return Counter(plan.defect or "intact" for plan in plans)


def render_video(path: Path, plan: Plan, render: Render) -> None:
    """Draw, play and encode one video at `path`.

    Raises:
        PlainError: the file cannot be written.
    """
    frames, samples = round(render.seconds * FPS), round(render.seconds * RATE)
    shown = plan_tracks(plan, render)
    reel = film(render.seed, plan.path, shown, frames=frames, height=render.height, width=render.width)
    sound = _sound(plan, render.seed, samples)
    write_video(path, reel, size=(render.width, render.height), fps=FPS, sound=sound, rate=RATE)
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
    return soundtrack(seed, plan.path, plan.heard, samples)
