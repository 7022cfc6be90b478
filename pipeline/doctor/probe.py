"""A look at one video as the stages will look at it; runs in the guarded process."""

from pathlib import Path
from typing import NamedTuple

from pipeline.media.faults import NoAudioStream
from pipeline.media.frames import read_frames
from pipeline.media.jpeg import encode_jpeg
from pipeline.media.sound import read_sound
from pipeline.params import Clips, Media

EVERY = 10  # frames between two that are encoded; neighbours are of about one size


class Probe(NamedTuple):
    """What a video that can be decoded takes."""

    copy_bytes: int
    """Of its training copy, about."""
    pixel_bytes: int
    """Of its decoded pictures, which exist twice while they travel between processes."""
    sound: bool
    """Whether it has a sound track."""


def probe(path: Path, media: Media, *, fps: float, clips: Clips) -> Probe:
    """Decode pictures and sound.

    Raises:
        Undecodable: one of them cannot be decoded.
    """
    frames = read_frames(path, media, fps=fps, short_side=clips.short_side)
    jpegs = [len(encode_jpeg(frame, clips.quality)) for frame in frames[::EVERY]]
    try:
        read_sound(path, media)
    except NoAudioStream:
        sound = False
    else:
        sound = True
    return Probe(round(len(frames) * sum(jpegs) / len(jpegs)), frames.nbytes, sound)
