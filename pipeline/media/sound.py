"""A video's sound track as mono float samples."""

from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from pipeline.media.faults import Undecodable
from pipeline.media.source import decode, opened, plain
from pipeline.params import Media


class Sound(NamedTuple):
    """Mono sound; full scale is 1, and nothing is clipped to it."""

    samples: np.ndarray
    """float32 (S,)"""
    rate: int
    """Samples a second."""


def read_sound(path: Path, media: Media, *, rate: int = 16_000) -> Sound:
    """Decode a sound track, mixed down to mono and resampled to `rate` by libswresample.

    The mix is normalized, whatever the sample format: stereo is the mean of both channels, 5.1 is ITU's mix
    without the low-frequency channel, scaled so that full scale stays full scale.

    Args:
        path: the video.
        media: the bounds; sound past `media.max_seconds` is left out.
        rate: samples a second to resample to.

    Raises:
        NoAudioStream: the file holds no sound track.
        Undecodable: anything else that is wrong with it.
    """
    limit = int(media.max_seconds * rate)
    pieces: list[np.ndarray] = []
    count = 0
    with opened(path, media, "audio") as (container, stream):
        resampler, last = _resampler(rate), None
        try:
            for frame in decode(container, stream):
                shape = (frame.format.name, frame.layout.name, frame.sample_rate)
                if shape != last and last is not None:  # sound may change its form on the way
                    pieces += _samples(resampler, None)
                    resampler = _resampler(rate)
                last = shape
                fresh = _samples(resampler, frame)
                pieces += fresh
                count += sum(map(len, fresh))
                if count >= limit:
                    break
            pieces += _samples(resampler, None)
        except (av.error.FFmpegError, ValueError) as error:
            raise Undecodable(f"sound cannot be resampled: {plain(error)}") from error
    if not pieces:
        raise Undecodable("the sound track holds no sample")
    return Sound(np.concatenate(pieces)[:limit], rate)


def _resampler(rate: int) -> av.AudioResampler:
    # Without the bound of 1, libswresample would leave float mixes 3 dB louder than those of integers.
    return av.AudioResampler(format="fltp", layout="mono", rate=rate, options={"rematrix_maxval": "1"})


def _samples(resampler: av.AudioResampler, frame: av.AudioFrame | None) -> list[np.ndarray]:
    """What the resampler gives for one frame, or at the end for None."""
    return [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
