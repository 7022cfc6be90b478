"""Image benchmarks: training examples and testing views, against a loader that decodes the source for each.

The peers are data set classes around PyAV. The plain one decodes the video and takes the clip's frames; the careful
one seeks to the key frame before the clip and stops after its last frame. Both convert and scale those frames alone.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import av
import numpy as np
import pyarrow as pa

from pipeline.bench.corpus import FPS, HEIGHT, SECONDS, WIDTH, Corpus, on_cores
from pipeline.bench.measure import Work, by_rate, cores, rates
from pipeline.clips.packs import Packs
from pipeline.clips.prepare import Source, prepare
from pipeline.evaluate.testing import Video, pictures_of
from pipeline.evaluate.views import spatial_views, temporal_views, views
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.media.scaling import FLAGS
from pipeline.foundations.params import Evaluate, Frames, Params, Train
from pipeline.foundations.runtime import files
from pipeline.foundations.tables import tables
from pipeline.model.positions import positions
from pipeline.report.bench_rows import Row, row
from pipeline.train.data import Examples, Pick
from pipeline.train.views import random_view

REPEATS = 5
PAPER = {
    "frames": {"fps": 30.0, "timeline": "constant", "span": 16, "count": 8, "positions": "linspace"},
    "train": {"jitter": (128, 160), "crop": 112, "flip": 0.5},
    "evaluate": {"temporal_views": 10, "spatial_views": 3, "short_side": 128, "crop": 128},
    "clips": {"short_side": 192},
}
"""Clips and sizes of the paper (Section 4.1), as presets of M-MiT have them; copies are a fifth larger than the largest
scale of training."""
VIEWED = 4
"""Videos that are tested."""
SOURCE = f"a {SECONDS} s video of {WIDTH} x {HEIGHT} at {FPS} frames a second"


def of_paper(params: Params) -> Params:
    """The parameters with the paper's clips and sizes, whatever the sample's are."""
    changed = {name: getattr(params, name).model_copy(update=values) for name, values in PAPER.items()}
    return params.model_copy(update=changed)


def loader(corpus: Corpus) -> list[Row]:
    """Training examples a second on one core, from the copies of stage prepare_clips."""
    params = of_paper(corpus.params)
    examples = examples_of(sources_of(corpus.pictures), corpus.folder / "clips", params)
    epoch = iter(range(1_000_000))

    def ours() -> int:
        seen = next(epoch)
        return sum(examples[Pick(number, seen)].pictures.shape[0] == 8 for number in range(len(examples)))

    def peer(*, careful: bool) -> int:
        random = np.random.default_rng(0)
        made = (decode_example(clip, params.frames, params.train, random, careful=careful) for clip in corpus.pictures)
        return sum(pictures.shape[0] == 8 for pictures in made)

    what = f"training examples of 8 x 112 x 112, jittered, cropped, flipped, of {SOURCE}"
    return _rows("loader", what, "clips/s", ours, peer, target=6.0)


def _rows(name: str, what: str, unit: str, ours: Work, peer: Callable[..., int], *, target: float) -> list[Row]:
    """Ours beside both peers, on one core; the target is held against the plain one."""
    works: dict[str, Work] = {
        "ours": ours,
        "plain": partial(peer, careful=False),
        "careful": partial(peer, careful=True),
    }
    with cores(1):
        found = rates(works, repeats=REPEATS)
    line = partial(row, device=on_cores(1), what=what, unit=unit)
    plain, careful = by_rate(found, theirs="plain"), by_rate(found, theirs="careful")
    return [
        line(name, plain, peer="PyAV, decoding the video for each", bound="at least", target=target),
        line(f"{name}, careful peer", careful, peer="PyAV, seeking, and stopping after the last frame"),
    ]


def sources_of(clips: Sequence[Path]) -> list[Source]:
    """Some clips as `index` would know them."""
    return [Source(clip.stem, clip, clip.stat().st_size, files.sha256(clip)) for clip in clips]


def examples_of(sources: Sequence[Source], folder: Path, params: Params) -> Examples:
    """Make the training copies of some videos, and open them as training does."""
    prepare(folder, sources, clips=params.clips, frames=params.frames, media=params.media, execution=params.execution)
    names = sorted(source.video_id for source in sources)
    columns = {"video_id": names, "actions": [[0]] * len(names), "drawn_for": [None] * len(names)}
    split: pa.Table = tables.from_columns("splits", columns)
    choose = partial(random_view, seed=params.seed, purpose="train", frames=params.frames, train=params.train)
    return Examples(split, Packs(folder), actions=1, choose=choose, crop=params.train.crop)


def decode_example(
    clip: Path, frames: Frames, train: Train, random: np.random.Generator, *, careful: bool
) -> np.ndarray:
    """A training example by PyAV from the source; uint8 T x crop x crop x 3."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        length = stream.frames
        start = int(random.integers(0, int(max(length - frames.span, 0)) + 1))
        short_side = int(random.integers(train.jitter[0], train.jitter[1] + 1))
        shown = np.minimum(start + positions(frames), length - 1)
        pictures = _decode(container, stream, shown, short_side, careful=careful)
    top = int(random.integers(0, pictures.shape[1] - train.crop + 1))
    left = int(random.integers(0, pictures.shape[2] - train.crop + 1))
    cut = pictures[:, top : top + train.crop, left : left + train.crop]
    return np.ascontiguousarray(cut[:, :, ::-1] if random.random() < train.flip else cut)


def tested(corpus: Corpus) -> list[Row]:
    """Views a second on one core: a video decoded once, in a guarded process, and cut into 10 x 3 views."""
    params = of_paper(corpus.params)
    media, frames, evaluate = params.media, params.frames, params.evaluate
    videos = [
        Video(clip.stem, str(clip), clip.stat().st_size, files.sha256(clip), ()) for clip in corpus.pictures[:VIEWED]
    ]

    def ours() -> int:
        with Guard(media) as guard:
            made = (pictures_of(video, guard, media, frames=frames, short_side=evaluate.short_side) for video in videos)
            return sum(len(views(pictures.pixels, frames, evaluate)) for pictures in made)

    def peer(*, careful: bool) -> int:
        return sum(
            len(decode_view(clip, view, frames, evaluate, careful=careful)) > 0
            for clip in corpus.pictures[:VIEWED]
            for view in range(evaluate.temporal_views * evaluate.spatial_views)
        )

    what = f"testing, 10 x 3 views of 8 x 128 x 128 of {SOURCE}, its file checked, in a guarded process"
    return _rows("views", what, "views/s", ours, peer, target=15.0)


def decode_view(clip: Path, view: int, frames: Frames, evaluate: Evaluate, *, careful: bool) -> np.ndarray:
    """One view of a video, by number, by PyAV from the source; uint8 T x crop x crop x 3."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        shown = temporal_views(stream.frames, frames, evaluate.temporal_views)[view // evaluate.spatial_views]
        pictures = _decode(container, stream, shown, evaluate.short_side, careful=careful)
    corners = spatial_views(pictures.shape[1], pictures.shape[2], evaluate.crop, evaluate.spatial_views)
    top, left = corners[view % evaluate.spatial_views]
    return np.ascontiguousarray(pictures[:, top : top + evaluate.crop, left : left + evaluate.crop])


def _decode(
    container: av.container.InputContainer, stream: av.VideoStream, shown: np.ndarray, short_side: int, *, careful: bool
) -> np.ndarray:
    """Frames of a video of constant rate by their numbers, scaled; T x Y x X x 3."""
    scale = short_side / min(stream.width, stream.height)
    width, height = round(stream.width * scale), round(stream.height * scale)
    tick = 1 / (stream.average_rate * stream.time_base)
    if careful:
        container.seek(int(shown[0] * tick), stream=stream)
    found: dict[int, np.ndarray] = {}
    wanted = set(shown.tolist())
    for frame in container.decode(stream):
        number = round(frame.pts / tick)
        if number in wanted:
            scaled = frame.reformat(width, height, "rgb24", interpolation=FLAGS["antialiased"])
            found[number] = scaled.to_ndarray()
        if careful and number >= shown[-1]:
            break
    return np.stack([found[number] for number in shown.tolist()])
