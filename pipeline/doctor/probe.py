"""Decodes one video as the stages do; runs in the decoding process."""

from pathlib import Path
from typing import NamedTuple

from pipeline.audio.silence import judge
from pipeline.clips.prepare import copy_frames, line_of
from pipeline.foundations.media.faults import NoAudioStream
from pipeline.foundations.media.sound import read_sound
from pipeline.foundations.params import Clips, FilterSilent, Frames, Media


class Probe(NamedTuple):
    """Sizes of a video that can be decoded."""

    copy_bytes: int
    """Of its training copy."""
    pixel_bytes: int
    """Of its decoded pictures, which exist twice while they travel between processes."""
    sound: bool
    """Whether it has a sound track."""
    audible: bool
    """Whether stage filter_silent would call it audible."""


def probe(path: Path, media: Media, *, frames: Frames, clips: Clips, rules: FilterSilent) -> Probe:
    """Decode pictures and sound.

    Raises:
        Undecodable: one of them cannot be decoded.
    """
    fps, scaling = line_of(frames, clips)
    copy = copy_frames(path, media, fps=fps, scaling=scaling, clips=clips)
    try:
        samples = read_sound(path, media).samples
    except NoAudioStream:
        sound = audible = False
    else:
        sound, audible = True, judge(samples, rules).verdict == "audible"
    return Probe(sum(map(len, copy.stored)), copy.width * copy.height * 3 * len(copy.stored), sound, audible)
