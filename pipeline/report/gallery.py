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
"""Height of a video on the page, in pixels; video and heat are side by side."""
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
    """Its labels; empty where they are not known."""
    seconds: float
    actions: tuple[Action, ...]
    """The best, best first; the heat map is of the first."""
    silent: bool
    """Without a sound track."""
    film: str
    """The video beside its heat map, as a data URI."""
    strip: str
    """Some frames under the heat map, as a data URI."""
    reason: str
    """Why it cannot be shown; empty where it can."""


class Recognizer(NamedTuple):
    """A trained model with its settings for testing and Grad-CAM."""

    network: MultiActionModel
    about: Description
    evaluate: Evaluate
    layer: str
    """Of the 3D-CNN, read by Grad-CAM."""
    top: int
    """How many actions are named."""

    @property
    def frames(self) -> Frames:
        """The settings of a clip."""
        return self.about.design.frames


def videos_of(folder: Path) -> list[Path]:
    """The videos in a folder, by name.

    Raises:
        PlainError: it is not a folder, or holds no video.
    """
    if not folder.is_dir():
        raise PlainError(f"{folder}: not a folder; give one that holds videos")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise PlainError(f"{folder}: no videos here; they end in {', '.join(SUFFIXES)}")
    return found


def read_labels(path: Path) -> dict[str, str]:
    """Read the labels of videos: tab-separated, with columns `file` and `labels`.

    Raises:
        PlainError: it cannot be read, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t")
            if not set(EXPECTED) <= set(rows.fieldnames or ()):
                raise PlainError(
                    f"{path}: has the columns {list(rows.fieldnames or ())}, but needs file and labels, "
                    "separated by tabs"
                )
            return {row["file"]: row["labels"] or "" for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PlainError(f"{path}: cannot be read: {error}") from error


def open_recognizer(model: Path, evaluate: Evaluate, *, layer: str, top: int, device: torch.device) -> Recognizer:
    """Read a trained model.

    Raises:
        PlainError: it cannot be read, needs each video's VGGish embedding (late fusion), or has no such layer.
    """
    network, about = load(model)
    if about.design.model.late_fusion:
        raise PlainError(
            f"{model}: needs each video's VGGish embedding (late_fusion), which a gallery does not compute"
        )
    if layer not in dict(network.backbone.named_children()):
        raise PlainError(f"--layer {layer}: {about.design.backbone.name} has layer1 to layer4")
    return Recognizer(network.to(device), about, evaluate, layer, top)


def entries(videos: Sequence[Path], recognizer: Recognizer, media: Media, labels: Mapping[str, str]) -> Iterator[Entry]:
    """Each video as the page shows it; one that cannot be decoded has a reason instead."""
    with reproducible(THREADS), Guard(media) as guard:
        for path in videos:
            label = labels.get(path.name, "")
            try:
                yield _entry(path, label, recognizer, media, guard)
            except Undecodable as finding:
                yield Entry(path.name, label, 0.0, (), False, "", "", str(finding))


def _entry(path: Path, label: str, recognizer: Recognizer, media: Media, guard: Guard) -> Entry:
    file, evaluate = path.resolve(), recognizer.evaluate
    seen = guard.call(reader(recognizer.frames, evaluate.short_side), file, media)
    scores_N = score_video(recognizer.network, seen.pixels, counted_at(recognizer.frames, seen.fps), evaluate)
    actions = best(scores_N, recognizer.about.actions, recognizer.top)
    if evaluate.crop != evaluate.short_side:  # Grad-CAM sees the whole frame, at the scale of the crops
        seen = guard.call(reader(recognizer.frames, evaluate.crop), file, media)
    heat = action_heat(recognizer, seen, recognizer.about.actions.index(actions[0].action))
    small = guard.call(partial(read_frames, fps=seen.fps, short_side=HEIGHT), file, media)
    try:
        sound = guard.call(partial(read_sound, rate=RATE), file, media)
    except NoAudioStream:
        sound = None
    bare, hot = small.pixels, overlay_heat(small.pixels, heat)
    with TemporaryDirectory() as draft:
        film, strip = Path(draft, "film.mp4"), Path(draft, "strip.webp")
        write_film(film, np.concatenate([bare, hot], axis=2), round(seen.fps), sound)
        pictures.write_strip(strip, resized(hot[pictures.spread(len(hot), STILLS)], HEIGHT // 2))
        addresses = address(film, "video/mp4"), address(strip, "image/webp")
    return Entry(path.name, label, len(bare) / seen.fps, actions, sound is None, *addresses, "")


def action_heat(recognizer: Recognizer, video: Pictures, action: int) -> Heat:
    """Grad-CAM of an action over the whole video, in as many clips as it takes."""
    frames = counted_at(recognizer.frames, video.fps)
    clips = ceil(len(video.pixels) / (frames.count if frames.positions == "segments" else frames.span))
    heat = video_heat(recognizer.network, video.pixels, [action], [recognizer.layer], frames, clips=clips)[
        recognizer.layer
    ][0]
    check_finite(Path("Grad-CAM"), {"heat": torch.from_numpy(heat.values)})
    return heat


def overlay_heat(pixels_LYXC: np.ndarray, heat: Heat) -> np.ndarray:
    """Every frame under the heat map of the last frame before it that a clip contains."""
    places = np.clip(np.searchsorted(heat.ticks, np.arange(len(pixels_LYXC)), side="right") - 1, 0, None)
    hottest = float(heat.values.max())
    return np.concatenate(
        [
            pictures.overlay(frame[None], heat.values[[place]], hottest=hottest)
            for frame, place in zip(pixels_LYXC, places, strict=True)
        ]
    )


def resized(pictures_KYXC: np.ndarray, height: int) -> np.ndarray:
    """Pictures at another height."""
    width = round(pictures_KYXC.shape[2] * height / pictures_KYXC.shape[1])
    return np.stack([np.asarray(Image.fromarray(picture).resize((width, height))) for picture in pictures_KYXC])


def write_film(path: Path, frames_LYXC: np.ndarray, fps: int, sound: Sound | None) -> None:
    """Encode RGB frames and sound as H.264 and AAC; an odd last row or column is cut."""
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
    """A file as a data URI."""
    return f"data:{kind};base64,{b64encode(path.read_bytes()).decode()}"


def render(shown: Sequence[Entry], recognizer: Recognizer, *, title: str) -> str:
    """The page, as HTML.

    Args:
        shown: the videos.
        recognizer: the model that made the entries.
        title: of the page.
    """
    context = {
        "title": title,
        "entries": shown,
        "backbone": recognizer.about.design.backbone.name,
        "layer": recognizer.layer,
        "vocabulary": len(recognizer.about.actions),
        "labelled": any(entry.labels for entry in shown),
    }
    return filled("gallery.html.jinja", context) + "\n"
