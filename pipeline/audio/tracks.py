"""Sound tracks of indexed videos: which ones, and their samples."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.audio.logmel import RATE
from pipeline.media import unchanged
from pipeline.media.faults import Undecodable
from pipeline.media.guard import Guard
from pipeline.media.sound import read_sound
from pipeline.params import Media


class Track(NamedTuple):
    """The sound track of a video, and what `index` found its file to be."""

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


def read_samples(track: Track, guard: Guard, media: Media) -> np.ndarray:
    """Decode a sound track in the guarded process, after checking that its file did not change since `index`.

    Returns:
        S, float32, mono at 16 kHz; full scale is 1.

    Raises:
        NoAudioStream: there is none.
        Undecodable: the file is absent, changed or damaged, or a sample is not a finite number.
    """
    path = Path(track.path)
    unchanged.check(path, bytes=track.bytes, sha256=track.sha256)
    samples = guard.call(read_sound, path, media, rate=RATE).samples
    if not np.isfinite(samples).all():
        raise Undecodable("the sound track holds samples that are not finite numbers")
    return samples
