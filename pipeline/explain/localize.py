"""The pointing game over all scored videos, where the places of their actions are known."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipeline import files, tables
from pipeline.evaluate.testing import Video, pixels_of
from pipeline.explain.gradcam import video_heat
from pipeline.explain.models import Explained, load
from pipeline.explain.pointing import judge
from pipeline.media.guard import Guard
from pipeline.params import Execution, Explain, Layer, Media
from pipeline.shards import Shard, input_key, shards
from pipeline.sources.sample.places import Place
from pipeline.train.checkpoint import WEIGHTS
from pipeline.train.team import choose_device, reproducible


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
    device = choose_device(execution.device).type
    folders = {model.name: model.folder for model in models}
    digests = [(name, files.sha256(folder / WEIGHTS)) for name, folder in folders.items()]
    what = {"layers": explain.layers, "clips": explain.clips, "short_side": short_side}
    with shards(
        partial(
            judge_shard,
            folders=folders,
            device=device,
            layers=explain.layers,
            clips=explain.clips,
            short_side=short_side,
            media=media,
        ),
        videos,
        stage="explain",
        key=input_key(videos, digests, device, what, media),
        size=shard_size,
        suffix=".parquet",
        execution=execution if device == "cpu" else execution.model_copy(update={"workers": 1}),
        label="pointing",
    ) as done:
        return _joined(done)


def judge_shard(
    videos: Sequence[Located],
    target: Path,
    *,
    folders: Mapping[str, Path],
    device: str,
    layers: Sequence[Layer],
    clips: int,
    short_side: int,
    media: Media,
) -> Mapping[str, int]:
    """The task of one shard: write the `pointing` rows of some videos at `target`."""
    rows = []
    with reproducible(threads=1), Guard(media) as guard:
        for name, folder in folders.items():
            network, description = load(folder)
            frames, network = description.frames, network.to(device)
            for video, places in videos:
                pixels = pixels_of(video, guard, media, fps=frames.fps, short_side=short_side)
                heat = video_heat(network, pixels, video.actions, layers, frames, clips=clips)
                for layer in layers:
                    for number, action in enumerate(video.actions):
                        others = [*places[:number], *places[number + 1 :]]
                        pointed = judge(heat[layer][number], places[number], others, frames.fps)
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
