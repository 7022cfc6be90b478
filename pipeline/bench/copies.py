"""Training copies as H.264 beside JPEG: bytes, examples a second, and how near their pictures are.

Of the rendered clips of all benchmarks, or of a folder of real ones: m3a bench copies --clips FOLDER.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.bench.corpus import Corpus, on_cores
from pipeline.bench.measure import by_rate, cores, rates
from pipeline.bench.pictures import REPEATS, examples_of, of_paper, sources_of
from pipeline.clips.packs import Packs
from pipeline.clips.prepare import Source, line_of
from pipeline.foundations.media.frames import read_frames
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.params import Params
from pipeline.foundations.params.choices import ClipCodec
from pipeline.report.bench_rows import Comparison, Row, row
from pipeline.train.data import Examples, Pick

EVERY = 10
"""Frames from one that is compared to the next."""
PEAK = 255.0


class Copies(NamedTuple):
    """The copies of some videos in one codec."""

    examples: Examples
    kilobytes: float
    """Of a video."""
    decibels: np.ndarray
    """Peak signal to noise of each video's frames, beside the pictures that were stored."""


def copies(corpus: Corpus) -> list[Row]:
    """The rows."""
    params = of_paper(corpus.params)
    sources = sources_of(corpus.given or corpus.pictures)
    ours, theirs = (made(codec, sources, corpus.folder / codec, params) for codec in ("h264", "jpeg"))
    epoch = iter(range(1_000_000))

    def read(examples: Examples) -> int:
        seen = next(epoch)
        return sum(len(examples[Pick(row, seen)].pictures) > 0 for row in range(len(examples)))

    with cores(1):
        found = rates({"ours": partial(read, ours.examples), "peer": partial(read, theirs.examples)}, repeats=REPEATS)
    clips = params.clips
    of = f"{len(ours.decibels)} {'given' if corpus.given else 'rendered'} videos, short side {clips.short_side}"
    name = "copies of given videos" if corpus.given else "copies"
    line = partial(row, device=on_cores(1), peer=f"JPEG of quality {clips.quality}")
    size = _once(ours.kilobytes, theirs.kilobytes)
    near = _once(float(ours.decibels.mean()), float(theirs.decibels.mean()))
    worst = f"worst video {ours.decibels.min():.1f} dB, beside {theirs.decibels.min():.1f}"
    stored = f"copies as H.264, crf {clips.crf}, of {of}"
    return [
        line(f"{name}, bytes", size, what=stored, unit="kB a video", bound="at most", target=0.2),
        line(f"{name}, read", by_rate(found), what=f"training examples from {stored}", unit="clips/s"),
        line(f"{name}, likeness", near, what=f"peak signal to noise of {stored}", unit="dB", note=worst),
    ]


def _once(ours: float, theirs: float) -> Comparison:
    return Comparison(ours, theirs, ours / theirs, ours / theirs, ours / theirs, 1)


def made(codec: ClipCodec, sources: Sequence[Source], folder: Path, params: Params) -> Copies:
    """Make the copies of some videos and look at them."""
    params = params.model_copy(update={"clips": params.clips.model_copy(update={"codec": codec})})
    examples = examples_of(sources, folder, params)
    with Packs(folder) as packs, Guard(params.media) as guard:
        decibels = [_decibels(packs, source, guard, params) for source in sources]
    size = sum(path.stat().st_size for path in folder.glob("pack-*"))
    return Copies(examples, size / len(sources) / 1e3, np.array(decibels))


def _decibels(packs: Packs, source: Source, guard: Guard, params: Params) -> float:
    fps, scaling = line_of(params.frames, params.clips)
    read = partial(read_frames, fps=fps, short_side=params.clips.short_side, scaling=scaling)
    pixels = guard.call(read, source.path, params.media).pixels[::EVERY]
    video = packs.video_ids.index(source.video_id).as_py()
    stored = packs.pictures(video, range(0, packs.frames(video), EVERY))
    errors = ((pixels.astype(np.float64) - stored) ** 2).mean((1, 2, 3))
    return float((10 * np.log10(PEAK**2 / errors)).mean())
