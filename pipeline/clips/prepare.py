"""Make the training copies: decode each video once, scale it, and keep its frames as JPEG or H.264.

A loader that decodes three seconds of H.264 to get sixteen frames wastes most of its time.
The copies hold every frame of the time line, small, each by itself or a few frames from a key frame. Training scales
them once more: they are somewhat larger than its largest scale, and sharp, so that scaling twice costs little.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from math import ceil
from pathlib import Path
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.clips.codecs import CODECS
from pipeline.clips.packs import EXCLUDED, TABLE, PackWriter, pack_name, read_contents
from pipeline.foundations.media.decoding import decoded
from pipeline.foundations.media.frames import shown
from pipeline.foundations.params import Clips, Execution, Frames, Media, Scaling
from pipeline.foundations.params.choices import ClipCodec
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import atomic_write
from pipeline.foundations.runtime.map_videos import Failures, map_videos
from pipeline.foundations.runtime.shards import Shard, input_key, total
from pipeline.foundations.tables import tables

MAX_FILES = 10_000
"""In a tracked folder (DESIGN.md, invariant 6)."""
_TABLES = 2


class Source(NamedTuple):
    """A video to copy."""

    video_id: str
    path: Path
    bytes: int
    sha256: str


class Made(NamedTuple):
    """A video's stored frames, of one size in pixels, and how many there are a second."""

    width: int
    height: int
    fps: float
    stored: list[bytes]


class Prepared(NamedTuple):
    """What was made."""

    videos: int
    excluded: int
    frames: int
    packs: int
    bytes: int


CopyScaling = Scaling | Literal["sharp"]


def prepare(
    target: Path,
    sources: Sequence[Source],
    *,
    clips: Clips,
    frames: Frames,
    media: Media,
    execution: Execution,
) -> Prepared:
    """Write the copies of `sources`, sorted by video id, as the folder `target`.

    Raises:
        PlainError: more videos failed than `clips.max_failure_rate` allows, or there would be too many files.
    """
    check_file_count(len(sources), clips.shard_size)
    ordered = sorted(sources)
    fps, scaling = line_of(frames, clips)
    copy = partial(copy_frames, fps=fps, scaling=scaling, clips=clips)
    looks = (frames.fps, frames.timeline, frames.scaling, clips.short_side, clips.codec, clips.quality, clips.crf)
    key = input_key(ordered, *looks, clips.shard_size, media)
    with map_videos(
        partial(write_pack, copy=copy, media=media, threads=execution.threads),
        ordered,
        stage="prepare_clips",
        key=key,
        size=clips.shard_size,
        suffix=CODECS[clips.codec].suffix,
        execution=execution,
        label="copying videos",
        failed=Failures("excluded", _excluded, clips.max_failure_rate, "clips.max_failure_rate"),
    ) as packs:
        counts = total(packs)
        with atomic_write(target) as folder:
            folder.mkdir()
            _gather(folder, packs, clips.codec)
    return Prepared(
        videos=counts.get("videos", 0),
        excluded=counts.get("excluded", 0),
        frames=counts.get("frames", 0),
        packs=len(packs),
        bytes=counts.get("bytes", 0),
    )


def sources_of(videos: pa.Table, splits: Sequence[pa.Table], root: Path) -> list[Source]:
    """The videos of some splits, as the table of videos knows them; paths start from `root`."""
    wanted = pa.concat_arrays([chunk for split in splits for chunk in split["video_id"].chunks])
    rows = videos.filter(pc.is_in(videos["video_id"], wanted))
    columns = (rows[name].to_pylist() for name in ("video_id", "path", "bytes", "sha256"))
    return [Source(video_id, root / path, size, sha256) for video_id, path, size, sha256 in zip(*columns, strict=True)]


def check_file_count(videos: int, shard_size: int) -> None:
    """Refuse a shard size that makes more files than a tracked folder may hold.

    Raises:
        PlainError: it makes more; the message names a sufficient size.
    """
    packs = ceil(videos / shard_size)
    if packs + _TABLES > MAX_FILES:
        raise PlainError(
            f"clips.shard_size: {shard_size} makes {packs:,} pack files of {videos:,} videos, and a folder may hold "
            f"{MAX_FILES:,} files: raise it to {ceil(videos / (MAX_FILES - _TABLES))} or more"
        )


def write_pack(
    sources: Sequence[Source], target: Path, *, copy: Callable[[Path, Media], Made], media: Media, threads: int
) -> Mapping[str, int]:
    """The task of one shard: write the pack of `sources` at `target`; a video that cannot be read is left out."""
    with decoded(sources, copy, media, threads=threads) as copies, target.open("wb") as file:
        pack = PackWriter(file)
        for source, made in zip(sources, copies, strict=True):
            if isinstance(made, Made):
                pack.add(source.video_id, **made._asdict())
            else:
                pack.exclude(source.video_id, str(made))
        contents = pack.close()
    frames = sum(len(copy.offsets) - 1 for copy in contents.copies)
    size = contents.copies[-1].offsets[-1] if contents.copies else 0
    return {"videos": len(contents.copies), "excluded": len(contents.excluded), "frames": frames, "bytes": size}


def line_of(frames: Frames, clips: Clips) -> tuple[float | None, CopyScaling]:
    """The frames a second of the copies, None for a video's own, and how their pictures are scaled."""
    fps = frames.fps if frames.timeline == "constant" else None
    return fps, frames.scaling if clips.short_side is None else "sharp"


def copy_frames(path: Path, media: Media, *, fps: float | None, scaling: CopyScaling, clips: Clips) -> Made:
    """Decode a video and encode its frames, one by one; runs in the decoding process, so that little is sent back.

    One picture is held at a time, or some ten for H.264, whatever the video's length.


    Args:
        path: the video.
        media: limits of decoding.
        fps: as `line_of` gives it, which knows all of `frames` and is not sent to that process.
        scaling: likewise.
        clips: size and quality of the copies.

    Raises:
        Undecodable: anything that is wrong with the file.
    """
    with shown(path, media, fps=fps, short_side=clips.short_side, scaling=scaling) as (line, rate):
        first, frames = next(line)
        stored = list(CODECS[clips.codec].encode(chain([(first, frames)], line), clips))
    return Made(first.shape[1], first.shape[0], rate, stored)


def _excluded(pack: Path) -> Iterator[tuple[str, str]]:
    """Video id and reason of each that could not be read."""
    yield from read_contents(pack).excluded


def _gather(folder: Path, packs: Sequence[Shard], codec: ClipCodec) -> None:
    """Link the packs into `folder` and write their tables."""
    for number, pack in enumerate(packs):
        _link(pack.path, folder / pack_name(number, codec))
    tables.write_stream("clips", folder / TABLE, _copies(packs))
    tables.write_stream("exclusions", folder / EXCLUDED, _exclusions(packs))


def _link(source: Path, target: Path) -> None:
    """Hard-link a file, so that a kill from here on costs no work; a copy where links are not supported."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _copies(packs: Sequence[Shard]) -> Iterator[pa.Table]:
    yield tables.empty("clips")
    for number, pack in enumerate(packs):
        copies = read_contents(pack.path).copies
        columns = {
            name: [getattr(copy, name) for copy in copies] for name in ("video_id", "width", "height", "fps", "offsets")
        }
        yield tables.from_columns("clips", columns | {"pack": [number] * len(copies)})


def _exclusions(packs: Sequence[Shard]) -> Iterator[pa.Table]:
    yield tables.empty("exclusions")
    for pack in packs:
        rows = read_contents(pack.path).excluded
        yield tables.from_columns(
            "exclusions", {"video_id": [row.video_id for row in rows], "reason": [row.reason for row in rows]}
        )
