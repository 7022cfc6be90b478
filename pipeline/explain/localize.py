"""The pointing game over all scored videos whose actions' places are known."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipeline.dataset.sample.places import Place
from pipeline.evaluate.testing import Video
from pipeline.explain.gradcam import video_heat
from pipeline.explain.models import Explained, load
from pipeline.explain.pointing import judge
from pipeline.foundations.media.decoding import decoded
from pipeline.foundations.media.faults import Finding
from pipeline.foundations.media.frames import reader
from pipeline.foundations.params import Execution, Explain, Layer, Media
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.devices import Devices, devices_of
from pipeline.foundations.runtime.shards import Shard, input_key, shards
from pipeline.foundations.tables import tables
from pipeline.model.checkpoint import WEIGHTS
from pipeline.model.determinism import reproducible
from pipeline.model.positions import counted_at


class Located(NamedTuple):
    """A video, and where its actions are."""

    video: Video
    places: tuple[tuple[Place, ...], ...]
    """One sequence an action, in the order of `video.actions`."""


def localize(
    models: Sequence[Explained],
    videos: Sequence[Located],
    *,
    explain: Explain,
    short_side: int,
    shard_size: int,
    media: Media,
    execution: Execution,
) -> pa.Table:
    """Judge the heat of each model for every action of every video; a table of schema `pointing`.

    Args:
        models: this run's, and the baseline's.
        videos: those with known places, by rising id; none gives a table without rows.
        explain: which layers, over how many clips.
        short_side: of a frame as the networks see it; pixels.
        shard_size: videos a shard.
        media: bounds of decoding.
        execution: how the work is done.

    Raises:
        PlainError: a model cannot be read.
        Undecodable: a video has changed since it was scored.
    """
    devices = devices_of(execution)
    folders = {model.name: model.folder for model in models}
    digests = [(name, files.sha256(folder / WEIGHTS)) for name, folder in folders.items()]
    what = {"layers": explain.layers, "clips": explain.clips, "short_side": short_side}
    with shards(
        partial(
            judge_shard,
            folders=folders,
            devices=devices,
            layers=explain.layers,
            clips=explain.clips,
            short_side=short_side,
            media=media,
            threads=execution.threads,
        ),
        videos,
        stage="explain",
        key=input_key(videos, digests, devices.kind, what, media, tables.SCHEMAS["pointing"]),
        size=shard_size,
        suffix=".parquet",
        execution=devices.shared_by(execution),
        label="pointing",
    ) as done:
        return _joined(done)


def judge_shard(
    videos: Sequence[Located],
    target: Path,
    *,
    folders: Mapping[str, Path],
    devices: Devices,
    layers: Sequence[Layer],
    clips: int,
    short_side: int,
    media: Media,
    threads: int,
) -> Mapping[str, int]:
    """The task of one shard: write the `pointing` rows of some videos at `target`."""
    rows = []
    for name, folder in folders.items():
        network, description = load(folder)
        frames, network = description.design.frames, network.to(devices.own())
        looking = decoded([each.video for each in videos], reader(frames, short_side), media, threads=threads)
        with reproducible(threads=1), looking as found:
            for (video, places), pictures in zip(videos, found, strict=True):
                if isinstance(pictures, Finding):
                    raise pictures
                counted = counted_at(frames, pictures.fps)
                heat = video_heat(network, pictures.pixels, video.actions, layers, counted, clips=clips)
                for layer in layers:
                    for number, action in enumerate(video.actions):
                        others = [*places[:number], *places[number + 1 :]]
                        pointed = judge(heat[layer][number], places[number], others, pictures.fps)
                        rows.append((name, layer, video.video_id, action, *pointed))
    tables.write("pointing", target, tables.from_rows("pointing", rows))
    return {"pairs": len(rows)}


def _joined(done: Sequence[Shard]) -> pa.Table:
    """The rows of all shards, by model, layer, video and action."""

    def parts() -> Iterator[pa.Table]:
        yield tables.empty("pointing")
        for shard in done:
            yield tables.read("pointing", shard.path)

    return pa.concat_tables(parts()).sort_by([(name, "ascending") for name in tables.SCHEMAS["pointing"].key])
