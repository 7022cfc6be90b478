"""What one video costs in each stage, measured here on a sample of the user's own, by the stages' own tasks.

Costs are processor seconds, of this process and those it starts, so that another user of the machine changes little.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from pipeline.audio.extraction import embed_shard
from pipeline.audio.silence import judge_shard
from pipeline.audio.tracks import Track
from pipeline.bench.memory import PROJECT
from pipeline.bench.network import EDGES, learn, model_of
from pipeline.bench.pictures import examples_of
from pipeline.bench.vggish import seeded_weights_file
from pipeline.clips.packs import read_contents
from pipeline.clips.prepare import Source, copy_frames, line_of, write_pack
from pipeline.dataset.annotations import Annotations, Video
from pipeline.dataset.index import build_index
from pipeline.evaluate.views import view_reader
from pipeline.foundations.media import unchanged
from pipeline.foundations.media.faults import Undecodable
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.params import Params
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.devices import devices_of
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.resources import cpu_seconds
from pipeline.model.determinism import reproducible
from pipeline.model.normalize import as_clips
from pipeline.train.data import Pick
from pipeline.train.optimizer import make_optimizer

SAMPLE = 32
"""Videos that are measured."""
FEW, PATIENCE = 2, 5.0
"""Clips of a step that is timed first; where a whole batch takes no more than such seconds, it is timed too."""
TIMES = 3
"""That a whole batch is timed; the quickest counts."""
LISTED = 4000
"""Videos that are listed, since one takes some 0.2 ms."""
HASHED = 50
"""Times that each file is hashed, since one takes less than the clock shows."""
PARAMETERS = ("params.yaml", "tables.yaml")
RECORDED = """
from pipeline.foundations.params import load_params
from pipeline.foundations.runtime.record import recorded
with recorded("plan", load_params()):
    pass
"""
COPIES = 12
"""Videos whose copies are read as training does."""


class UnitCosts(NamedTuple):
    """Of one item, in processor seconds of one core of this machine unless said."""

    videos: int
    """That they were measured on."""
    file_bytes: float
    """Of a video."""
    hash: float
    """Reading and hashing a file."""
    listed: float
    """What stage index does for a video beside that: finding it, noting its digest, its row in the table."""
    sound: float
    """Decoding and judging a sound track."""
    audible: float
    """Part of the videos."""
    vggish: float
    """Decoding an audible video's sound and embedding it."""
    copy: float
    """Decoding a video and encoding its training copy."""
    copy_bytes: float
    example: float
    """Reading a training example from a copy."""
    step: float
    """Learning from one clip: forward, backward, update."""
    view_video: float
    """Decoding a video for testing."""
    view: float
    """Scoring one view."""
    start: float
    """Starting a process of a stage."""
    start_network: float
    """The same, of a stage with a network."""
    record: float
    """Recording a stage's run: its versions, its machine, git, and where DVC's cache is."""


def measure(paths: Sequence[Path], params: Params, folder: Path, *, actions: int) -> UnitCosts:
    """Measure on some videos; what is written goes into `folder`.

    Args:
        paths: the videos; those that cannot be decoded cost what it takes to find that out.
        params: of the project.
        folder: for what the tasks write.
        actions: how many there are.

    Raises:
        PlainError: none of the videos can be decoded.
    """
    tracks = [
        Track(f"{number:06d}", str(path), path.stat().st_size, files.sha256(path)) for number, path in enumerate(paths)
    ]
    sources = [Source(track.video_id, Path(track.path), track.bytes, track.sha256) for track in tracks]
    fps, scaling = line_of(params.frames, params.clips)
    copy = partial(copy_frames, fps=fps, scaling=scaling, clips=params.clips)
    judge = partial(judge_shard, rules=params.filter_silent, media=params.media, threads=1)
    pack = partial(write_pack, copy=copy, media=params.media, threads=1)
    judge(tracks[:1], folder / "warm")  # starts the decoding process
    pack(sources[:1], folder / "warm")
    verdicts: dict[str, int] = {}
    made: dict[str, int] = {}
    sound = _seconds(lambda: verdicts.update(judge(tracks, folder / "verdicts"))) / len(tracks)
    copied = _seconds(lambda: made.update(pack(sources, folder / "pack"))) / len(tracks)
    copies = {copy.video_id for copy in read_contents(folder / "pack").copies}
    if not copies:
        raise PlainError(f"doctor --plan: none of {len(tracks)} sampled videos can be decoded; m3a doctor says why")
    step, view = _network(params, actions)
    start = _start("stages.filter_silent")
    return UnitCosts(
        videos=len(tracks),
        file_bytes=sum(track.bytes for track in tracks) / len(tracks),
        listed=_listed(folder / "listed", params.execution.workers),
        hash=_seconds(lambda: [files.sha256(path) for path in [*paths] * HASHED]) / HASHED / len(tracks),
        sound=sound,
        audible=verdicts.get("audible", 0) / len(tracks),
        vggish=_vggish(tracks, params, folder),
        copy=copied,
        copy_bytes=made["bytes"] / made["videos"],
        example=_example([source for source in sources if source.video_id in copies], params, folder),
        step=step,
        view_video=_decoding(tracks, params),
        view=view,
        start=start,
        start_network=_start("stages.evaluate"),
        record=max(0.0, _recorded("stages.filter_silent", folder / "recorded") - start),
    )


def _seconds(work: Callable[[], object]) -> float:
    """Processor time of some work here and in child processes."""
    before = sum(cpu_seconds().values())
    work()
    return sum(cpu_seconds().values()) - before


def _listed(folder: Path, workers: int) -> float:
    """Of a video of one byte, by stage index's own function, with digests that no earlier run kept."""
    folder.mkdir()
    videos = [Video(f"{number}", f"{number}.mp4", "train", (0,)) for number in range(LISTED)]
    for video in videos:
        (folder / video.path).write_bytes(b"x")
    before = os.environ.get("DVC_ROOT")
    os.environ["DVC_ROOT"] = str(folder)
    try:
        return _seconds(
            lambda: build_index(Annotations(("a",), tuple(videos)), folder, max_missing_rate=0.0, workers=workers)
        ) / len(videos)
    finally:
        os.environ.pop("DVC_ROOT") if before is None else os.environ.update(DVC_ROOT=before)


def _vggish(tracks: Sequence[Track], params: Params, folder: Path) -> float:
    weights = seeded_weights_file(folder)
    embed = partial(
        embed_shard,
        weights=weights,
        sha256=files.sha256(weights),
        devices=devices_of(params.execution.model_copy(update={"device": "cpu"})),
        size=len(tracks),
        short=params.vggish.short,
        mixed_precision=False,
        media=params.media,
        threads=1,
    )
    embed(tracks, folder / "embedded")
    return _seconds(lambda: embed(tracks, folder / "embedded")) / len(tracks)


def _decoding(tracks: Sequence[Track], params: Params) -> float:
    read = view_reader(params.frames, params.evaluate)
    with Guard(params.media) as guard:

        def decode(chosen: Sequence[Track]) -> None:
            for track in chosen:
                with suppress(Undecodable):
                    guard.call(unchanged.read, unchanged.recorded(track), read, params.media)

        decode(tracks[:1])
        return _seconds(partial(decode, tracks)) / len(tracks)


def _example(sources: Sequence[Source], params: Params, folder: Path) -> float:
    examples = examples_of(sources[:COPIES], folder / "copies", params)
    read = [examples[Pick(0, 0)]]
    return _seconds(lambda: read.extend(examples[Pick(row, 1)] for row in range(len(examples)))) / len(examples)


def _network(params: Params, actions: int) -> tuple[float, float]:
    """Of one clip learnt from, and of one view scored, on the CPU."""
    torch.manual_seed(0)
    params = params.model_copy(update={"model": params.model.model_copy(update={"late_fusion": False})})
    model = model_of(params, params.model.heads, params.backbone.name, actions)
    frames, train, evaluate = params.frames, params.train, params.evaluate
    optimizer = make_optimizer(model, train)

    def learnt(batch: int) -> None:
        clips = torch.randn(batch, 3, frames.count, train.crop, train.crop)
        learn(model.train(), optimizer, clips, torch.rand(batch, actions) < EDGES)

    @torch.inference_mode()
    def scored(batch: int) -> None:
        pictures = torch.zeros(batch, frames.count, evaluate.crop, evaluate.crop, 3, dtype=torch.uint8)
        model.eval().scores(as_clips(pictures, frames))

    with reproducible(train.threads):
        step = _of_a_batch(learnt, train.batch)
    with reproducible(threads=1):
        return step, _of_a_batch(scored, evaluate.batch)


def _of_a_batch(work: Callable[[int], None], most: int) -> float:
    """Of one clip, among as many as are worked on at once, or among few where that takes long."""
    few = min(FEW, most)
    work(few)
    seconds = _seconds(lambda: work(few)) / few
    if seconds * most > PATIENCE:
        return seconds
    return min(_seconds(lambda: work(most)) / most for _ in range(TIMES))  # threads that wait for others spin


def _start(stage: str) -> float:
    return _of_a_process(f"import {stage}", Path())


def _recorded(stage: str, folder: Path) -> float:
    """Of a run of a stage that does nothing, in a project of its own."""
    (folder / ".dvc").mkdir(parents=True)
    for name in PARAMETERS:
        shutil.copyfile(name, folder / name)
    return _of_a_process(f"import {stage}\n{RECORDED}", folder)


def _of_a_process(code: str, folder: Path) -> float:
    """The second of two processes that run some Python code in a folder."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "DVC_ROOT": str(folder.absolute())}
    work = partial(subprocess.run, [sys.executable, "-c", code], cwd=folder, env=environment, check=True)
    work()
    return _seconds(work)
