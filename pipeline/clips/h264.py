"""Frames of one video as H.264 by x264, in groups of pictures so short that any frame is decoded quickly.

    key . . . . . . . . . . . . . . . | key . . . .     GOP frames a group, each frame coded from the one before

Without B-frames and scene cuts, packet k is frame k, and group g starts at frame g * GOP. The bytes are the same on
every CPU: x264 runs on one thread and decides nothing by the processor, swscale is held to its exact code, and H.264
decodes to the bit by its standard. Colours are kept at full size (4:4:4), which also lets sides be odd.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import av
import numpy as np
from av.codec.context import Flags
from av.video.reformatter import VideoReformatter

from pipeline.foundations.media.scaling import FLAGS
from pipeline.foundations.runtime.errors import PlainError

GOP = 16
"""Frames from a key frame to the next: a clip's span. With 8, a copy is a quarter larger (README.md)."""
PIXELS = "yuv444p"
EXACT = FLAGS["antialiased"]
_TICK = Fraction(1, 30)
"""Of the encoder's clock, which decides nothing where the quality is constant."""
X264 = (
    "threads=1:lookahead-threads=1:sliced-threads=0:cpu-independent=1:bframes=0:scenecut=0:open-gop=0:repeat-headers=1"
    f":keyint={GOP}:min-keyint={GOP}"
)


def encode_h264(pictures: Iterable[np.ndarray], crf: int, *, more: str = "") -> Iterator[bytes]:
    """Each picture's packet; pictures are uint8 H x W x 3, all of one size.

    Args:
        pictures: read one after the other; some ten are held.
        crf: x264's constant rate factor: 0 is lossless, 51 the worst.
        more: settings of x264, as `asm=0`, that change no byte.
    """
    encoder = None
    converter = VideoReformatter()
    for number, picture in enumerate(pictures):
        encoder = encoder or _encoder(picture.shape[1], picture.shape[0], crf, more)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
        frame = converter.reformat(frame, format=PIXELS, interpolation=EXACT, threads=1)
        frame.pts, frame.time_base = number, _TICK
        yield from map(bytes, encoder.encode(frame))
    if encoder:
        yield from map(bytes, encoder.encode(None))


def _encoder(width: int, height: int, crf: int, more: str) -> av.VideoCodecContext:
    encoder = av.VideoCodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, PIXELS
    encoder.time_base, encoder.framerate = _TICK, 1 / _TICK
    encoder.thread_count = 1
    encoder.flags |= Flags.bitexact
    encoder.options = {"preset": "veryfast", "crf": str(crf), "x264-params": f"{X264}:{more}".rstrip(":")}
    return encoder


def group_start(frame: int) -> int:
    """The key frame that decoding must start at to see a frame."""
    return frame // GOP * GOP


def decode_h264(packets: Sequence[bytes], wanted: Sequence[int]) -> np.ndarray:
    """Some pictures of consecutive packets, the first of which is a key frame; uint8 T x H x W x 3.

    Args:
        packets: up to the last picture that is wanted.
        wanted: places in `packets`, in any order.

    Raises:
        PlainError: a packet is damaged.
    """
    decoder = av.VideoCodecContext.create("h264", "r")
    decoder.thread_count = 1
    decoder.flags |= Flags.low_delay
    converter = VideoReformatter()
    chosen, found, number = set(wanted), {}, 0
    try:
        for packet in (*map(av.Packet, packets), None):
            for frame in decoder.decode(packet):
                if number in chosen:
                    found[number] = converter.reformat(
                        frame, format="rgb24", interpolation=EXACT, threads=1
                    ).to_ndarray()
                number += 1
        return np.stack([found[place] for place in wanted])
    except (av.error.FFmpegError, KeyError) as error:
        raise PlainError(f"found {number} of {len(packets)} frames in H.264: {error}") from error
