"""Data for benchmarks: rendered clips of M-MiT's size, and settings that all benchmarks share."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from pipeline.audio.tracks import Track
from pipeline.dataset.sample.layout import plan_tracks
from pipeline.dataset.sample.plan import Plan, draw_plans
from pipeline.dataset.sample.render import render_sample
from pipeline.dataset.sample.scenes import FPS as DRAWN
from pipeline.dataset.sample.scenes import film
from pipeline.dataset.sample.sounds import RATE, soundtrack
from pipeline.dataset.sample.write import write_video
from pipeline.foundations.params import Params, Render
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.numerics import processor
from pipeline.foundations.tables import tables

WIDTH, HEIGHT = 340, 256
"""Pixels; what the videos of M-MiT are commonly kept at."""
FPS, SECONDS = 30, 3
"""Frames a second of the clips that training and testing are measured on, whatever the sample has, and their length."""
CLIPS = {"train": 30, "validation": 1, "test": 1}
SILENT = {"no_audio_stream": 0.06, "digital_silence": 0.06, "below_threshold": 0.03, "truncated": 0}


@dataclass(frozen=True)
class Corpus:
    """Clips, and the project's parameters.

    Attributes:
        folder: for all that a benchmark writes.
        params: of the project; sizes are the paper's, whatever they say.
    """

    folder: Path
    params: Params
    given: tuple[Path, ...] = ()
    """Videos of the user's own, for those benchmarks that take some."""

    @cached_property
    def clips(self) -> list[Path]:
        """The sample's clips at 340 x 256, H.264 with AAC; some without sound or silent, as in any data set."""
        render = self.params.render.model_copy(update=CLIPS | SILENT | {"height": HEIGHT, "width": WIDTH})
        target = self.folder / "rendered"
        render_sample(target, render, self.params.execution)
        return [target / "videos" / plan.path for plan in draw_plans(render)]

    @cached_property
    def sounding(self) -> list[Path]:
        """Those with a sound track."""
        render = self.params.render.model_copy(update=CLIPS | SILENT)
        plans = draw_plans(render)
        return [clip for clip, plan in zip(self.clips, plans, strict=True) if plan.defect != "no audio stream"]

    @cached_property
    def pictures(self) -> list[Path]:
        """Clips of 340 x 256 and 30 frames a second, all with sound: the sample's, played faster."""
        audible = dict.fromkeys(SILENT, 0)
        render = self.params.render.model_copy(update=CLIPS | audible | {"height": HEIGHT, "width": WIDTH})
        folder = self.folder / "pictures"
        folder.mkdir()
        return [_film(folder / plan.path.replace("/", "-"), plan, render) for plan in draw_plans(render)]

    def videos(self, times: int) -> pa.Table:
        """The clips as a table of videos, each under `times` names."""
        size, digest = {}, {}
        for clip in self.clips:
            size[clip], digest[clip] = clip.stat().st_size, files.sha256(clip)
        rows = sorted((f"{clip.parent.name}/{clip.stem}-{n:03d}", clip) for clip in self.clips for n in range(times))
        columns = {
            "video_id": [name for name, _ in rows],
            "path": [str(clip) for _, clip in rows],
            "split": ["train"] * len(rows),
            "actions": [[0]] * len(rows),
            "bytes": [size[clip] for _, clip in rows],
            "sha256": [digest[clip] for _, clip in rows],
        }
        return tables.from_columns("videos", columns)


def _film(path: Path, plan: Plan, render: Render) -> Path:
    """Draw, play and encode a clip."""
    frames = FPS * SECONDS
    shown = plan_tracks(plan, render.model_copy(update={"seconds": frames / DRAWN}))
    reel = film(render.seed, plan.path, shown, frames=frames, height=HEIGHT, width=WIDTH)
    sound = soundtrack(render.seed, plan.path, plan.heard, SECONDS * RATE)
    write_video(path, reel, size=(WIDTH, HEIGHT), fps=FPS, sound=sound, rate=RATE)
    return path


def track(clip: Path) -> Track:
    """A clip as `index` would know it."""
    return Track(clip.stem, str(clip), clip.stat().st_size, files.sha256(clip))


def on_cores(count: int) -> str:
    """So many cores of this machine, in words."""
    return f"{count} core{'s' * (count > 1)} of {processor()}"
