"""A gallery: videos with their sound, the actions that a model finds in them, and where it looks.

video -> frames, sound (guarded) -> scores over views -> the best actions
                                 -> Grad-CAM of the best, over the whole video -> the video beside its heat, as MP4

What is shown are examples: a handful of videos measures nothing.
"""

import csv
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from av import VideoFrame
from PIL import Image

from pipeline.dataset.sample.write import write_video
from pipeline.evaluate.testing import score_video
from pipeline.exchange.predict import THREADS, Action, best
from pipeline.explain import pictures
from pipeline.explain.gradcam import Heat, video_heat
from pipeline.explain.models import load
from pipeline.foundations.media.faults import NoAudioStream, Undecodable
from pipeline.foundations.media.frames import Pictures, read_frames, reader
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.media.sound import Sound, read_sound
from pipeline.foundations.params import Evaluate, Frames, Media
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables.finite import check as check_finite
from pipeline.model.checkpoint import Description
from pipeline.model.determinism import reproducible
from pipeline.model.model import MultiActionModel
from pipeline.model.positions import counted_at
from pipeline.report.templating import filled

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
HEIGHT = 176
"""Pixels of a film on the page, whose two halves stand side by side."""
RATE = 32_000
"""Samples of sound a second, on the page."""
FULL_SCALE = 32_767
STILLS = 6
"""Pictures in a strip."""
EXPECTED = ("file", "labels")


class Entry(NamedTuple):
    """A video on the page."""

    name: str
    labels: str
    """What is known of it; empty where nothing is."""
    seconds: float
    actions: tuple[Action, ...]
    """The best, best first; the heat is the first's."""
    silent: bool
    """Without a sound track."""
    film: str
    """The video beside its heat, as a data address."""
    strip: str
    """Some of its frames under the heat, likewise."""
    reason: str
    """Why it cannot be shown; empty where it can."""


class Looker(NamedTuple):
    """A model, and how it is asked."""

    network: MultiActionModel
    about: Description
    evaluate: Evaluate
    layer: str
    """Of the 3D-CNN, whose heat is drawn."""
    top: int
    """How many actions are named."""

    @property
    def frames(self) -> Frames:
        """What a clip is."""
        return self.about.design.frames


def videos_of(folder: Path) -> list[Path]:
    """The videos in a folder, by name.

    Raises:
        PlainError: it is none, or holds no video.
    """
    if not folder.is_dir():
        raise PlainError(f"{folder}: found no folder, expected one that holds videos")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise PlainError(f"{folder}: found no video, expected files that end in {', '.join(SUFFIXES)}")
    return found


def read_labels(path: Path) -> dict[str, str]:
    """What a table says of each video: tab-separated, with columns `file` and `labels`.

    Raises:
        PlainError: it cannot be read, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t")
            if not set(EXPECTED) <= set(rows.fieldnames or ()):
                raise PlainError(
                    f"{path}: found the columns {list(rows.fieldnames or ())}, expected file and labels among them, "
                    "separated by tabs"
                )
            return {row["file"]: row["labels"] or "" for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PlainError(f"{path}: cannot be read: {error}") from error


def open_looker(model: Path, evaluate: Evaluate, *, layer: str, top: int, device: torch.device) -> Looker:
    """Read a trained model.

    Raises:
        PlainError: it cannot be read, hears each video's embedding, or has no such layer.
    """
    network, about = load(model)
    if about.design.model.late_fusion:
        raise PlainError(f"{model}: hears each video's embedded sound (late_fusion), which a gallery does not compute")
    if layer not in dict(network.backbone.named_children()):
        raise PlainError(f"--layer {layer}: {about.design.backbone.name} has layer1 to layer4")
    return Looker(network.to(device), about, evaluate, layer, top)


def entries(videos: Sequence[Path], looker: Looker, media: Media, labels: Mapping[str, str]) -> Iterator[Entry]:
    """Each video as the page shows it; one that cannot be decoded has a reason instead."""
    with reproducible(THREADS), Guard(media) as guard:
        for path in videos:
            label = labels.get(path.name, "")
            try:
                yield _entry(path, label, looker, media, guard)
            except Undecodable as finding:
                yield Entry(path.name, label, 0.0, (), False, "", "", str(finding))


def _entry(path: Path, label: str, looker: Looker, media: Media, guard: Guard) -> Entry:
    file, evaluate = path.resolve(), looker.evaluate
    seen = guard.call(reader(looker.frames, evaluate.short_side), file, media)
    scores_N = score_video(looker.network, seen.pixels, counted_at(looker.frames, seen.fps), evaluate)
    actions = best(scores_N, looker.about.actions, looker.top)
    if evaluate.crop != evaluate.short_side:  # the heat is of the whole frame, at the scale that crops have
        seen = guard.call(reader(looker.frames, evaluate.crop), file, media)
    heat = heat_of(looker, seen, looker.about.actions.index(actions[0].action))
    small = guard.call(partial(read_frames, fps=seen.fps, short_side=HEIGHT), file, media)
    try:
        sound = guard.call(partial(read_sound, rate=RATE), file, media)
    except NoAudioStream:
        sound = None
    bare, hot = small.pixels, heated(small.pixels, heat)
    with TemporaryDirectory() as draft:
        film, strip = Path(draft, "film.mp4"), Path(draft, "strip.webp")
        write_film(film, np.concatenate([bare, hot], axis=2), round(seen.fps), sound)
        pictures.write_strip(strip, shrunk(hot[pictures.spread(len(hot), STILLS)], HEIGHT // 2))
        addresses = address(film, "video/mp4"), address(strip, "image/webp")
    return Entry(path.name, label, len(bare) / seen.fps, actions, sound is None, *addresses, "")


def heat_of(looker: Looker, video: Pictures, action: int) -> Heat:
    """The heat of an action over the whole video, in as many clips as it takes."""
    frames = counted_at(looker.frames, video.fps)
    clips = ceil(len(video.pixels) / frames.span)
    heat = video_heat(looker.network, video.pixels, [action], [looker.layer], frames, clips=clips)[looker.layer][0]
    check_finite(Path("Grad-CAM"), {"heat": torch.from_numpy(heat.values)})
    return heat


def heated(pixels_LYXC: np.ndarray, heat: Heat) -> np.ndarray:
    """Every frame under the heat of the last frame before it that the network was shown."""
    places = np.clip(np.searchsorted(heat.ticks, np.arange(len(pixels_LYXC)), side="right") - 1, 0, None)
    hottest = float(heat.values.max())
    return np.concatenate(
        [
            pictures.overlay(frame[None], heat.values[[place]], hottest=hottest)
            for frame, place in zip(pixels_LYXC, places, strict=True)
        ]
    )


def shrunk(pictures_KYXC: np.ndarray, height: int) -> np.ndarray:
    """Pictures at another height."""
    width = round(pictures_KYXC.shape[2] * height / pictures_KYXC.shape[1])
    return np.stack([np.asarray(Image.fromarray(picture).resize((width, height))) for picture in pictures_KYXC])


def write_film(path: Path, frames_LYXC: np.ndarray, fps: int, sound: Sound | None) -> None:
    """Encode frames, RGB, with their sound as H.264 and AAC; a last odd row or column is left out."""
    height, width = (size - size % 2 for size in frames_LYXC.shape[1:3])
    planes = [
        VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]), format="rgb24").to_ndarray(
            format="yuv420p"
        )
        for frame in frames_LYXC
    ]
    track = None if sound is None else (np.clip(sound.samples, -1, 1) * FULL_SCALE).astype(np.int16)
    write_video(path, np.stack(planes), size=(width, height), fps=fps, sound=track, rate=RATE)


def address(path: Path, kind: str) -> str:
    """A file as an address that holds all of it."""
    return f"data:{kind};base64,{b64encode(path.read_bytes()).decode()}"


def render(shown: Sequence[Entry], looker: Looker, *, title: str) -> str:
    """The page, as HTML.

    Args:
        shown: the videos.
        looker: whose findings they are.
        title: of the page.
    """
    context = {
        "title": title,
        "entries": shown,
        "backbone": looker.about.design.backbone.name,
        "layer": looker.layer,
        "vocabulary": len(looker.about.actions),
        "labelled": any(entry.labels for entry in shown),
    }
    return filled("gallery.html.jinja", context) + "\n"
