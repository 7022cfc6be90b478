"""A video's sound track as mono float samples."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated, NamedTuple

import av
import numpy as np

from pipeline.foundations.media.answers import Array
from pipeline.foundations.media.faults import Undecodable
from pipeline.foundations.media.source import decode, opened
from pipeline.foundations.params import Media

BLOCK = 16_384
"""Samples that are resampled at once; decoders give about 1,024, and each call has a fixed cost."""


RATES = range(2_000, 768_001)
"""Samples a second that a track may have; far below, a small file would become an hour of sound."""


class Sound(NamedTuple):
    """Mono sound; full scale is 1, and nothing is clipped to it."""

    samples: Annotated[np.ndarray, Array("float32", 1)]
    """float32 (S,)"""
    rate: int
    """Samples a second."""


def read_sound(path: Path, media: Media, *, rate: int = 16_000) -> Sound:
    """Decode a sound track, mixed down to mono and resampled to `rate` by libswresample.

    The mix is normalized, whatever the sample format: stereo becomes the mean of its channels, 5.1 ITU's mix
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
        for piece in _resampled(decode(container, stream), rate):
            pieces.append(piece)
            count += len(piece)
            if count >= limit:
                break
    if not count:
        raise Undecodable("the sound track holds no sample")
    samples = np.concatenate(pieces)[:limit]
    if not np.isfinite(samples).all():
        raise Undecodable("the sound track holds samples that are not finite numbers")
    return Sound(samples, rate)


def _resampled(frames: Iterable[av.AudioFrame], rate: int) -> Iterator[np.ndarray]:
    """Yield mono samples, block by block; where the sound changes its form, resampling starts anew."""
    for (_, _, found), run in groupby(frames, key=_form):
        if found not in RATES:
            raise Undecodable(f"sound of {found:,} samples a second, expected {RATES[0]:,} to {RATES[-1]:,}")
        # Without the bound of 1, libswresample leaves mixes of floats 3 dB louder than those of integers.
        resampler = av.AudioResampler("fltp", "mono", rate, options={"rematrix_maxval": "1"})
        for block in _blocks(run):
            yield from (piece.to_ndarray()[0] for piece in resampler.resample(block) if piece is not None)


def _form(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _blocks(frames: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame | None]:
    """Join frames of one form into blocks of about `BLOCK` samples; None, which flushes, comes last."""
    fifo = av.AudioFifo()
    for frame in frames:
        frame.pts = None  # sound is taken as contiguous, also where its times are not
        fifo.write(frame)
        if fifo.samples >= BLOCK:
            yield fifo.read()
    if fifo.samples:
        yield fifo.read()
    yield None
