"""Open an untrusted video and decode one of its streams within limits (DESIGN.md, invariant 7).

    path --regular file--> open file --whitelisted demuxer--> packets --whitelisted decoder--> frames

FFmpeg never gets a file name: it reads from an open file, so `concat:` and `subfile:` have no effect, and a demuxer
that tries to open a second file is refused.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, Literal, NoReturn

import av
from av.container import InputContainer
from av.stream import Discard, Disposition, Stream

from pipeline.foundations.media.faults import NoAudioStream, Undecodable
from pipeline.foundations.params import Media

Kind = Literal["audio", "video"]

CONTAINERS = "mov,matroska,avi"
"""The demuxers that may run, in FFmpeg's names: MP4 and MOV, Matroska and WebM, AVI. No playlists."""

DECODERS: dict[Kind, tuple[str, ...]] = {
    "audio": (
        "aac", "ac3", "adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "alac", "amrnb", "amrwb", "dca", "eac3", "flac",
        "gsm", "gsm_ms", "libopus", "mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float", "opus", "pcm_alaw",
        "pcm_f32be", "pcm_f32le", "pcm_f64be", "pcm_f64le", "pcm_mulaw", "pcm_s16be", "pcm_s16le", "pcm_s24be",
        "pcm_s24le", "pcm_s32be", "pcm_s32le", "pcm_s8", "pcm_u8", "qdm2", "vorbis", "wmav1", "wmav2",
    ),
    "video": (
        "av1", "cinepak", "dvvideo", "ffv1", "flv", "h263", "h264", "hevc", "huffyuv", "libdav1d", "mjpeg",
        "mpeg1video", "mpeg2video", "mpeg4", "msmpeg4", "msmpeg4v1", "msmpeg4v2", "png", "prores", "qtrle",
        "rawvideo", "svq1", "svq3", "theora", "vc1", "vp8", "vp9", "wmv1", "wmv2", "wmv3",
    ),
}  # fmt: skip
"""The decoders that may run, in FFmpeg's names. Reading sound, no decoder of pictures starts at all: FFmpeg would
decode one to describe its stream, which takes longer than all the sound of a three-second clip."""

WHOLE, TOLERANCE_SECONDS = 0.9, 0.25
"""A stream that ends before 0.9 of its declared duration, less a quarter second for sloppy headers, is truncated."""
_UNKNOWN_SIZE = 0x7FFFFFFF  # left by recorders that did not finish the header
DAMAGED = 0.1
"""A stream of whose packets more than this part cannot be decoded is damaged; up to it, they are skipped."""


@contextmanager
def open_regular(path: Path | FileIO) -> Iterator[FileIO]:
    """Open a regular file for reading; anything else is refused before it is opened.

    A decoding process, which opens nothing, has the open file already; it is read from its start.

    A symbolic link is refused too, wherever it leads: the folder of a data set may be a link, a video may not.

    Raises:
        Undecodable: the file is absent, unreadable, empty or not a regular file.
    """
    if isinstance(path, FileIO):
        path.seek(0)
        yield path
        return
    try:
        before = os.lstat(path)
        if not stat.S_ISREG(before.st_mode):
            raise Undecodable(f"not a regular file but a {_kind_of_file(before.st_mode)}")
        # The path may be replaced between stat and open: do not follow links, do not block, and compare both.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise Undecodable(f"cannot be opened: {plain(error)}") from error
    with FileIO(descriptor) as file:
        after = os.fstat(descriptor)
        if (after.st_dev, after.st_ino) != (before.st_dev, before.st_ino):
            raise Undecodable("replaced while it was opened")
        if after.st_size == 0:
            raise Undecodable("empty file")
        yield file


def _kind_of_file(mode: int) -> str:
    kinds = {stat.S_IFDIR: "folder", stat.S_IFLNK: "symbolic link", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")


def plain(error: Exception) -> str:
    """An error of FFmpeg or the system in short, without file name and log."""
    return (getattr(error, "strerror", None) or str(error)).partition("\n")[0].lower()


@contextmanager
def opened(path: Path | FileIO, media: Media, kind: Kind) -> Iterator[tuple[InputContainer, Stream]]:
    """Open a container and choose its sound track or its pictures.

    Of several, the first that is marked as default, else the first; an attached picture is no video. Errors of
    FFmpeg inside the `with` block leave it as `Undecodable`.

    Raises:
        NoAudioStream: no audio stream where one is asked for.
        Undecodable: not a file, container or codec that we read.
    """
    options = {"max_pixels": str(media.max_pixels), "threads": "1", "codec_whitelist": ",".join(DECODERS[kind])}
    with open_regular(path) as file, _open_container(file, options) as container:
        stream = _choose(container, kind)
        _check_pixels(stream, media.max_pixels)
        stream.codec_context.options = options
        for other in container.streams:
            if stream.duration and other is not stream:  # else the others tell where the file ends, see decode()
                other.discard = Discard.all
        try:
            yield container, stream
        except (av.error.FFmpegError, ValueError) as error:
            if isinstance(error, MemoryError):
                raise
            raise Undecodable(f"cannot be decoded: {plain(error)}") from error


def _open_container(file: FileIO, options: dict[str, str]) -> InputContainer:
    """Let a whitelisted demuxer read the header; `options` go to the decoders that probing starts."""
    _check_riff(file)
    try:
        container: InputContainer = av.open(
            file,
            mode="r",
            options=options,
            container_options={"format_whitelist": CONTAINERS},
            metadata_errors="replace",
            io_open=_refuse,
        )
        return container
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, MemoryError):
            raise
        head = os.pread(file.fileno(), 12, 0)
        if head[4:8] == b"ftyp":
            raise Undecodable("MP4 without a readable index (moov), as of a truncated file") from error
        if _is_transport_stream(file):
            raise Undecodable(
                "an MPEG transport stream, which is not read: `ffmpeg -i FILE -c copy NEW.mp4` makes an MP4 of it"
            ) from error
        raise Undecodable(f"not a readable MP4, Matroska or AVI file: starts with {head!r}") from error


def _is_transport_stream(file: FileIO) -> bool:
    """Whether packets of 188 bytes begin with their mark, or of 192 after a time stamp, whatever the file's name."""
    start = os.pread(file.fileno(), 4 * 192, 0)
    return any(set(start[first::size]) == {0x47} and len(start) > 2 * size for first, size in ((0, 188), (4, 192)))


def _check_riff(file: FileIO) -> None:
    """Compare an AVI file's size with its header, since the demuxer accepts truncated files."""
    head, held = os.pread(file.fileno(), 8, 0), os.fstat(file.fileno()).st_size
    declared = 8 + int.from_bytes(head[4:], "little")
    if head[:4] == b"RIFF" and held < WHOLE * declared and declared < _UNKNOWN_SIZE:
        raise Undecodable(f"truncated: holds {held:,} of the {declared:,} bytes that its header declares")


def _refuse(url: str, *_: Any) -> NoReturn:
    raise Undecodable(f"tries to open another file: {url}")


def _choose(container: InputContainer, kind: Kind) -> Stream:
    streams = [
        stream
        for stream in container.streams
        if stream.type == kind and not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        raise NoAudioStream if kind == "audio" else Undecodable("no video stream")
    stream = next((stream for stream in streams if stream.disposition & Disposition.default), streams[0])
    if stream.codec_context is None or stream.codec_context.codec.name not in DECODERS[kind]:
        name = stream.codec_context.codec.name if stream.codec_context else "unknown"
        raise Undecodable(f"its {kind} codec is not one that we read: {name}")
    return stream


def _check_pixels(stream: Stream, max_pixels: int) -> None:
    """Say what is wrong where FFmpeg found no picture size within the bound; it reports a larger one as none."""
    width, height = getattr(stream, "width", 1), getattr(stream, "height", 1)  # sound has neither
    if not 0 < width * height <= max_pixels:
        raise Undecodable(
            f"declares no picture size, or one beyond media.max_pixels {max_pixels:,} (4096 x 2160 are 8,847,360)"
        )


def decode(container: InputContainer, stream: Stream) -> Iterator[Any]:
    """Yield the stream's frames in order. Bounding their number is up to who consumes them.

    Packets that cannot be decoded are skipped, as players do, up to `DAMAGED`.

    Raises:
        Undecodable: the stream ends long before its header says, too many of its packets cannot be decoded, or
            no frame comes out.
    """
    packets = failed = frames = 0
    start, declared = _declared(container, stream)
    end = start
    clocks = [float(other.time_base or 0) for other in container.streams]
    for packet in container.demux():
        end = max(end, _end(packet) * clocks[packet.stream_index])
        if packet.stream is not stream:
            continue
        packets += packet.size > 0  # the last one only flushes
        try:
            decoded: list[Any] = packet.decode()
        except av.error.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            failed += packet.size > 0
            continue
        for frame in decoded:
            frames += 1
            if container.format.name == "avi":  # keeps no times of presentation, and those made up go to and fro
                frame.pts = frame.dts
            yield frame
    if end - start < WHOLE * declared - TOLERANCE_SECONDS:
        raise Undecodable(f"truncated: holds {end - start:.2f} s of the {declared:.2f} s that its header declares")
    if failed > DAMAGED * packets:
        raise Undecodable(f"damaged: {failed} of {packets} packets cannot be decoded")
    if not frames:
        raise Undecodable(f"the {stream.type} stream is empty")


def _declared(container: InputContainer, stream: Stream) -> tuple[float, float]:
    """When the stream starts and how long it lasts by its header, or else by the container's, in seconds."""
    if stream.duration and stream.time_base:
        return float((stream.start_time or 0) * stream.time_base), float(stream.duration * stream.time_base)
    start = min(container.start_time or 0, 0)  # Matroska's duration counts from zero, wherever the first packet lies
    return start / av.time_base, (container.duration or 0) / av.time_base


def _end(packet: av.Packet) -> float:
    """When the packet's content ends, in units of its stream's clock."""
    start = packet.pts if packet.pts is not None else packet.dts
    return float("-inf") if start is None else start + (packet.duration or 0)
