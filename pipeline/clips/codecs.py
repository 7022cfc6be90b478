"""Codecs of training copies: each frame as JPEG, or H.264 in short groups of pictures."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np

from pipeline.clips.h264 import decode_h264, encode_h264, group_start
from pipeline.clips.jpeg import decode_jpeg, encode_jpeg
from pipeline.foundations.params import Clips
from pipeline.foundations.params.choices import ClipCodec


class Codec(NamedTuple):
    """A codec; the bytes of frames are stored one after the other."""

    suffix: str
    """Of a pack's file."""
    encode: Callable[[Iterable[tuple[np.ndarray, int]], Clips], Iterator[bytes]]
    """Pictures, uint8 H x W x 3, each with the number of frames that show it, to the bytes of every frame."""
    start: Callable[[int], int]
    """The frame at which reading must start to see one."""
    decode: Callable[[Sequence[bytes], Sequence[int]], np.ndarray]
    """Consecutive frames from such a start, and the places of those that are wanted, to uint8 T x H x W x 3."""


def _encode_jpegs(pictures: Iterable[tuple[np.ndarray, int]], clips: Clips) -> Iterator[bytes]:
    for picture, frames in pictures:
        yield from repeat(encode_jpeg(picture, clips.quality), frames)


def _decode_jpegs(stored: Sequence[bytes], wanted: Sequence[int]) -> np.ndarray:
    return np.stack([decode_jpeg(stored[place]) for place in wanted])


def _encode_packets(pictures: Iterable[tuple[np.ndarray, int]], clips: Clips) -> Iterator[bytes]:
    frames = chain.from_iterable(repeat(picture, count) for picture, count in pictures)
    return encode_h264(frames, clips.crf)


CODECS: Mapping[ClipCodec, Codec] = {
    "jpeg": Codec(".bin", _encode_jpegs, lambda frame: frame, _decode_jpegs),
    "h264": Codec(".h264", _encode_packets, group_start, decode_h264),
}
