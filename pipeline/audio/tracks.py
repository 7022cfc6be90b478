"""Audio tracks of indexed videos, and how they are decoded."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipeline.audio.logmel import RATE
from pipeline.foundations.media.sound import read_sound


class Track(NamedTuple):
    """The audio track of a video, and its file's size and hash as `index` recorded them."""

    video_id: str
    path: str
    bytes: int
    sha256: str


def tracks_of(videos: pa.Table, root: Path) -> list[Track]:
    """The tracks of a table of `videos`, whose paths start below `root`."""
    columns = (videos[name].to_pylist() for name in ("video_id", "path", "bytes", "sha256"))
    return [
        Track(video_id, str(root / path), size, digest) for video_id, path, size, digest in zip(*columns, strict=True)
    ]


read_track = partial(read_sound, rate=RATE)
"""Reads a track in a decoding process: S samples, float32, mono at 16 kHz; full scale is 1."""
