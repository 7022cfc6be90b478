"""Embeddings of the audible videos: VGGish's, 3 patches x 128 each ("features ... with size 3 x 128", Section 4.1).

    32 sound tracks --log-mel--> 96 x 96 x 64 --VGGish--> 96 x 128 --> 32 x 384

Or another network's (`embedders.py`), by the header of the weights.

A shard is one batch, composed by key and filled up with zeros: the last bits of a product depend on its shape, so
all have one (DESIGN.md, invariant 3).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import nn

from pipeline.audio.embedders import Embedder, embedder_of
from pipeline.audio.tracks import Track, tracks_of
from pipeline.foundations.media.decoding import decoded
from pipeline.foundations.media.faults import Finding
from pipeline.foundations.media.sound import Sound, read_sound
from pipeline.foundations.params import Execution, Media
from pipeline.foundations.params import Vggish as Settings
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.devices import Devices, devices_of
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.map_videos import Failures, map_videos
from pipeline.foundations.runtime.shards import Shard, input_key, total
from pipeline.foundations.tables import tables

SHORT = "short: "
"""Start of the reason of a video that was left out on purpose, which is no failure."""
OUTCOMES = ("embedded", "padded", "dropped", "failed")
Short = Literal["pad", "drop"]


class Network(NamedTuple):
    """Which weights a worker loads, once for all its shards, and onto which device."""

    path: Path
    sha256: str
    device: str
    mixed_precision: bool = False
    """Whether it computes in bfloat16."""
    deterministic: bool = True


def extract(
    videos: Path,
    verdicts: Path,
    weights: Path,
    target: Path,
    excluded: Path,
    *,
    root: Path,
    vggish: Settings,
    media: Media,
    execution: Execution,
) -> dict[str, int]:
    """Write the table `vggish` at `target` and, at `excluded`, the audible videos without embedding, with reasons.

    Returns:
        How many were embedded as they are, embedded after padding, dropped as too short, and failed.

    Raises:
        PlainError: more than `vggish.max_failure_rate` of the videos failed; or the weights or the device are absent.
    """
    tracks = tracks_of(audible(videos, verdicts), root)
    digest, devices = digest_of(weights), devices_of(execution)
    inputs = (files.sha256(videos), files.sha256(verdicts), digest)
    what = vggish.model_dump(include={"short", "mixed_precision", "shard_size"})
    failed = Failures("failed", _failed, vggish.max_failure_rate, "vggish.max_failure_rate")
    with map_videos(
        partial(
            embed_shard,
            weights=weights,
            sha256=digest,
            devices=devices,
            size=vggish.shard_size,
            short=vggish.short,
            mixed_precision=vggish.mixed_precision,
            media=media,
            threads=execution.threads,
        ),
        tracks,
        stage="extract_vggish",
        key=input_key(inputs, devices.compute, what, media, root, tables.SCHEMAS["embedded"]),
        size=vggish.shard_size,
        suffix=".parquet",
        execution=devices.shared_by(execution),
        label="embedding sounds",
        failed=failed,
    ) as done:
        counts = {outcome: total(done).get(outcome, 0) for outcome in OUTCOMES}
        tables.write_stream("vggish", target, _embedded(done))
        tables.write_stream("exclusions", excluded, _left_out(done))
    return counts


def audible(videos: Path, verdicts: Path) -> pa.Table:
    """The rows of the table `videos` whose verdict is audible.

    Raises:
        PlainError: the verdicts are those of other videos.
    """
    table, judged = tables.read("videos", videos), tables.read("verdicts", verdicts)
    if not table["video_id"].equals(judged["video_id"]):
        raise PlainError(f"{verdicts}: found other videos than in {videos}; run `dvc repro filter_silent`")
    return table.filter(pc.equal(judged["verdict"], "audible"))


def digest_of(weights: Path) -> str:
    """The SHA-256 of the network's file.

    Raises:
        PlainError: it cannot be read.
    """
    try:
        return files.sha256(weights)
    except OSError as error:
        raise PlainError(f"{weights}: cannot be read: {error.strerror}; run `dvc repro fetch_weights`") from error


def embed_shard(
    tracks: Sequence[Track],
    target: Path,
    *,
    weights: Path,
    sha256: str,
    devices: Devices,
    size: int,
    short: Short,
    mixed_precision: bool,
    media: Media,
    threads: int,
) -> Mapping[str, int]:
    """The task of one shard: write the table `embedded` of at most `size` tracks at `target`; returns outcomes."""
    embedder = embedder_of(weights)
    clips = np.zeros((size, *embedder.shape), np.float32)
    reasons = [""] * len(tracks)
    outcomes: Counter[str] = Counter()
    mixed = mixed_precision and devices.kind == "cuda"
    network = Network(weights, sha256, str(devices.own()), mixed, devices.deterministic)
    with decoded(tracks, partial(read_sound, rate=embedder.rate), media, threads=threads) as sounds:
        for row, sound in enumerate(sounds):
            outcome, reasons[row] = _outcome(sound, short, embedder)
            if isinstance(sound, Sound) and not reasons[row]:
                clips[row] = embedder.given(sound.samples)
            outcomes[outcome] += 1
    embeddings = embed(clips.reshape(-1, *embedder.shape[1:]), network).reshape(size, -1)[: len(tracks)]
    embeddings[[bool(reason) for reason in reasons]] = np.nan
    columns = {"video_id": [track.video_id for track in tracks], "reason": reasons, "embedding": embeddings}
    tables.write("embedded", target, tables.from_columns("embedded", columns))
    return outcomes


def _outcome(sound: Sound | Finding, short: Short, embedder: Embedder) -> tuple[str, str]:
    return outcome_of(len(sound.samples), short, embedder) if isinstance(sound, Sound) else ("failed", str(sound))


def outcome_of(samples: int, short: Short, embedder: Embedder) -> tuple[str, str]:
    """The outcome for a sound of so many samples at the embedder's rate, and the reason where it is excluded."""
    if samples >= embedder.samples:
        return "embedded", ""
    if short == "pad":
        return "padded", ""
    rate = f"{embedder.rate / 1000:g} kHz"
    return "dropped", f"{SHORT}{samples:,} of {embedder.samples:,} samples at {rate}; vggish.short is drop"


def embed(patches: np.ndarray, network: Network) -> np.ndarray:
    """Embed a batch of patches, of VGGish B x 96 x 64 as B x 128, float32, on one thread."""
    torch.set_num_threads(1)
    free, kind = not network.deterministic, torch.device(network.device).type
    kernels = torch.backends.cudnn.flags(enabled=True, benchmark=free, deterministic=not free, allow_tf32=False)
    mixed = torch.autocast(kind, torch.bfloat16, enabled=network.mixed_precision)
    with torch.inference_mode(), kernels, mixed:
        embeddings_BE = _loaded(network)(torch.from_numpy(patches).to(network.device)).float().cpu()
    return np.asarray(embeddings_BE.numpy())


@lru_cache(maxsize=1)
def _loaded(network: Network) -> nn.Module:
    """The network, loaded once a worker."""
    return embedder_of(network.path).load(network.path).to(network.device)


def _embedded(done: Sequence[Shard]) -> Iterator[pa.Table]:
    for shard in done:
        table = tables.read("embedded", shard.path)
        yield table.filter(pc.equal(table["reason"], "")).select(["video_id", "embedding"])


def _left_out(done: Sequence[Shard]) -> Iterator[pa.Table]:
    for shard in done:
        table = tables.read("embedded", shard.path)
        yield table.filter(pc.not_equal(table["reason"], "")).select(["video_id", "reason"])


def _failed(shard: Path) -> Iterator[tuple[str, str]]:
    """Video id and reason of each video of a shard whose sound could not be read."""
    for row in tables.read("embedded", shard).select(["video_id", "reason"]).to_pylist():
        if row["reason"] and not row["reason"].startswith(SHORT):
            yield row["video_id"], row["reason"]
