"""Score the videos of a split over their views: each is decoded once, in a guarded process."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from pipeline.evaluate.views import batches, combine, view_reader, views
from pipeline.foundations.media import unchanged
from pipeline.foundations.media.decoding import decoded
from pipeline.foundations.media.faults import Finding
from pipeline.foundations.media.frames import Pictures, reader
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.params import Evaluate, Execution, Frames, Media
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.devices import Devices, devices_of
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.map_videos import Failures, map_videos
from pipeline.foundations.runtime.shards import Shard, input_key, total
from pipeline.foundations.tables import tables
from pipeline.model.checkpoint import load_model
from pipeline.model.determinism import reproducible
from pipeline.model.model import MultiActionModel
from pipeline.model.normalize import as_clips
from pipeline.model.place import place
from pipeline.model.positions import counted_at
from pipeline.model.sounds import sounds_of


class Video(NamedTuple):
    """A video to score, its own actions, and what `index` found its file to be."""

    video_id: str
    path: str
    bytes: int
    sha256: str
    actions: tuple[int, ...]
    sound: tuple[float, ...] = ()
    """Its whitened VGGish embedding, for late fusion."""


def videos_of(split: pa.Table, videos: pa.Table, root: Path) -> list[Video]:
    """The videos of a split, as the table of videos knows them; paths start from `root`."""
    rows = videos.filter(pc.is_in(videos["video_id"], split["video_id"])).sort_by("video_id")
    columns = (rows[name].to_pylist() for name in ("video_id", "path", "bytes", "sha256", "actions"))
    return [
        Video(video_id, str(root / path), size, sha256, tuple(actions))
        for video_id, path, size, sha256, actions in zip(*columns, strict=True)
    ]


def with_sounds(videos: Sequence[Video], whitened: Path) -> list[Video]:
    """The videos with their whitened VGGish, for late fusion; zeros for silent ones."""
    sounds = sounds_of(pa.array([video.video_id for video in videos]), whitened)
    return [video._replace(sound=tuple(sound.tolist())) for video, sound in zip(videos, sounds, strict=True)]


def score(
    target: Path,
    videos: Sequence[Video],
    model: Path,
    *,
    evaluate: Evaluate,
    media: Media,
    execution: Execution,
) -> dict[str, int]:
    """Write `predictions.parquet` and `excluded.parquet` into the folder `target`; returns how many rows each has.

    The bytes are the same for any number of workers on one kind of device.

    Raises:
        PlainError: there is no model or no video, more videos failed than `evaluate.max_failure_rate` allows, or CUDA
            was asked for and there is none.
    """
    if not videos:
        raise PlainError(f"evaluate.split: found no labelled video in {evaluate.split}, expected some; set val or test")
    devices = devices_of(execution)
    what = evaluate.model_dump(exclude={"bootstrap", "max_failure_rate"})
    with map_videos(
        partial(score_shard, model=model, devices=devices, evaluate=evaluate, media=media, threads=execution.threads),
        videos,
        stage="evaluate",
        key=input_key(videos, digests(model), devices.compute, what, media, tables.SCHEMAS["scored"]),
        size=evaluate.shard_size,
        suffix=".parquet",
        execution=devices.shared_by(execution),
        label="scoring",
        failed=Failures("excluded", _unscored, evaluate.max_failure_rate, "evaluate.max_failure_rate"),
    ) as done:
        for name, file in (("predictions", "predictions.parquet"), ("exclusions", "excluded.parquet")):
            tables.write_stream(name, target / file, _part(name, done))
        return total(done)


def score_shard(
    videos: Sequence[Video],
    target: Path,
    *,
    model: Path,
    devices: Devices,
    evaluate: Evaluate,
    media: Media,
    threads: int,
) -> Mapping[str, int]:
    """The task of one shard: write the `scored` rows of some videos at `target`."""
    network, description = load_model(model)
    place(network, devices.own(), mixed_precision=evaluate.mixed_precision)
    read = view_reader(description.design.frames, evaluate)
    scores: list[list[float]] = []
    reasons: list[str] = []
    kernels = reproducible(threads=1, deterministic=devices.deterministic)
    with kernels, decoded(videos, read, media, threads=threads) as found:
        for video, pictures in zip(videos, found, strict=True):
            if isinstance(pictures, Finding):
                scores.append([])
                reasons.append(str(pictures))
            else:
                frames = counted_at(description.design.frames, pictures.fps)
                seen = (pictures.pixels, frames, evaluate, video.sound, pictures.places)
                scores.append(score_video(network, *seen).tolist())
                reasons.append("")
    columns = {"video_id": [video.video_id for video in videos], "actions": [list(video.actions) for video in videos]}
    tables.write("scored", target, tables.from_columns("scored", columns | {"scores": scores, "reason": reasons}))
    excluded = sum(map(bool, reasons))
    return {"predictions": len(videos) - excluded, "excluded": excluded}


@torch.inference_mode()
def score_video(
    network: MultiActionModel,
    pixels_LYXC: np.ndarray,
    frames: Frames,
    evaluate: Evaluate,
    sound: Sequence[float] = (),
    shown_TF: np.ndarray | None = None,
) -> np.ndarray:
    """A decoded video's scores, combined over its views (N, float32); `sound` is its own, for late fusion.

    `shown_TF` says which of these frames each view shows, where they are not the whole video.

    What a clip is, `frames`, is counted in the video's own pictures (`pipeline.model.positions.counted_at`).

    Raises:
        PlainError: a score is not a finite number.
    """
    device = next(network.parameters()).device
    sound_1P = torch.tensor([sound], dtype=torch.float32, device=device) if sound else None

    def scores(batch_BFYXC: np.ndarray) -> np.ndarray:
        sounds_BP = None if sound_1P is None else sound_1P.expand(len(batch_BFYXC), -1)
        return network.scores(as_clips(torch.from_numpy(batch_BFYXC).to(device), frames), sounds_BP).cpu().numpy()

    return score_views(scores, pixels_LYXC, frames, evaluate, shown_TF)


def score_views(
    scores: Callable[[np.ndarray], np.ndarray],
    pixels_LYXC: np.ndarray,
    frames: Frames,
    evaluate: Evaluate,
    shown_TF: np.ndarray | None = None,
) -> np.ndarray:
    """As `score_video`, by anything that gives a batch of clips (uint8, B x F x Y x X x 3) its scores (B x N).

    Raises:
        PlainError: a score is not a finite number.
    """
    made = batches(views(pixels_LYXC, frames, evaluate, shown_TF), evaluate.batch)
    scores_VN = np.concatenate([scores(batch)[:real] for batch, real in made])
    if not np.isfinite(scores_VN).all():
        raise PlainError("the model's scores are not finite: its training diverged; try a lower train.learning_rate")
    return combine(scores_VN, evaluate.combine)


def pictures_of(video: Video, guard: Guard, media: Media, *, frames: Frames, short_side: int) -> Pictures:
    """The frames of a video that is what `index` found it to be, as `read_frames` gives them.

    Raises:
        Undecodable: the file is absent, changed, or cannot be decoded.
    """
    return guard.call(unchanged.read, unchanged.recorded(video), reader(frames, short_side), media)


def digests(folder: Path) -> list[tuple[str, str]]:
    """The model's files and their digests, which name the work."""
    try:
        return [(path.name, files.sha256(path)) for path in sorted(folder.iterdir()) if path.is_file()]
    except OSError as error:
        raise PlainError(f"{folder}: no model is there: {error.strerror}; run `dvc repro train`") from error


def _part(name: str, done: Sequence[Shard]) -> Iterator[pa.Table]:
    """The rows of the finished shards that belong to the table `name`, in its columns."""
    yield tables.empty(name)
    for shard in done:
        scored = tables.read("scored", shard.path)
        kept = pc.equal(scored["reason"], "") if name == "predictions" else pc.not_equal(scored["reason"], "")
        yield scored.filter(kept).select(tables.SCHEMAS[name].columns.names).cast(tables.SCHEMAS[name].columns)


def _unscored(shard: Path) -> Iterator[tuple[str, str]]:
    """Video id and reason of each that could not be read."""
    rows = tables.read("scored", shard).select(["video_id", "reason"]).to_pylist()
    yield from ((row["video_id"], row["reason"]) for row in rows if row["reason"])
