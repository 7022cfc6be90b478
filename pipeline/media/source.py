"""Opening a video that nobody vouches for, and decoding one of its streams within bounds (invariant 7).

    path --lstat, O_NOFOLLOW--> open file --whitelisted demuxer--> packets --decoder, one thread--> frames

FFmpeg never sees a name: it reads from a file that is already open, so that `concat:` or `subfile:` mean nothing,
and every attempt of a demuxer to open a second file is refused.
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
from av.stream import Disposition, Stream

from pipeline.media.faults import NoAudioStream, Undecodable
from pipeline.params import Media

CONTAINERS = "mov,matroska,avi"
"""Demuxers that may run, in FFmpeg's names: MP4 and MOV, Matroska and WebM, AVI. Playlists are not among them."""
WHOLE, TOLERANCE_SECONDS = 0.9, 0.5
"""A stream that ends before 0.9 of its declared duration, less half a second for sloppy headers, is truncated."""
DAMAGED = 0.1
"""A stream of which more than this part of packets cannot be decoded is damaged; below, they are skipped."""


@contextmanager
def open_regular(path: Path) -> Iterator[FileIO]:
    """Open a regular file for reading; anything else is refused before it is opened.

    A symbolic link is refused too, wherever it leads: the folder of a data set may be a link, a video may not.

    Raises:
        Undecodable: the file is absent, unreadable or not a regular file.
    """
    try:
        before = os.lstat(path)
        if not stat.S_ISREG(before.st_mode):
            raise Undecodable(f"not a regular file but a {_kind(before.st_mode)}")
        # The path may change between the two looks: not followed, not waited for (a FIFO), and compared below.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise Undecodable(f"cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    with FileIO(descriptor) as file:
        after = os.fstat(file.fileno())
        if (after.st_dev, after.st_ino) != (before.st_dev, before.st_ino):
            raise Undecodable("replaced while it was opened")
        if after.st_size == 0:
            raise Undecodable("empty file")
        yield file


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "folder", stat.S_IFLNK: "symbolic link", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")


@contextmanager
def opened(path: Path, media: Media, kind: Literal["audio", "video"]) -> Iterator[tuple[InputContainer, Stream]]:
    """Open a container and choose its sound track or its pictures.

    Of several, the first that is marked as default, else the first; an attached picture is no video.

    Raises:
        NoAudioStream: no audio stream where one is asked for.
        Undecodable: not a file, container or codec that we read, or larger than `media.max_pixels`.
    """
    limits = {"max_pixels": str(media.max_pixels), "threads": "1"}
    with open_regular(path) as file:
        try:
            container = av.open(
                file,
                mode="r",
                options=limits,
                container_options={"format_whitelist": CONTAINERS},
                metadata_errors="replace",
                io_open=_refuse,
            )
        except (av.error.FFmpegError, ValueError) as error:
            raise Undecodable(f"not a readable MP4, Matroska or AVI file: {plain(error)}") from error
        with container:
            stream = _choose(container, kind)
            if stream.codec_context is None:
                raise Undecodable(f"no decoder for the {kind} stream")
            stream.codec_context.options = limits
            yield container, stream


def _refuse(url: str, *_: Any) -> NoReturn:
    raise PermissionError(f"a video may not open another file: {url}")


def plain(error: BaseException) -> str:
    """An error of FFmpeg's in one clause, without file name and log."""
    return str(getattr(error, "strerror", None) or error).splitlines()[0].lower()


def _choose(container: InputContainer, kind: Literal["audio", "video"]) -> Stream:
    streams = [
        stream
        for stream in container.streams
        if stream.type == kind and not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        raise NoAudioStream if kind == "audio" else Undecodable("no video stream")
    return next((stream for stream in streams if stream.disposition & Disposition.default), streams[0])


def decode(container: InputContainer, stream: Stream) -> Iterator[Any]:
    """Yield the stream's frames in order; who consumes them stops when `media.max_seconds` have passed.

    Packets that cannot be decoded are skipped, as players do, up to `DAMAGED`.

    Raises:
        Undecodable: the stream ends long before its header says, too many of its packets cannot be decoded, or
            not one frame comes out.
    """
    packets = failed = frames = 0
    end = 0.0
    try:
        for packet in container.demux(stream) if stream.duration else container.demux():
            end = max(end, _end(packet))
            if packet.stream.index != stream.index:
                continue
            packets += 1
            try:
                decoded = packet.decode()
            except av.error.InvalidDataError:
                failed += 1
                continue
            for frame in decoded:
                frames += 1
                yield frame
    except (av.error.FFmpegError, ValueError) as error:
        raise Undecodable(f"decoding fails after {frames} frames: {plain(error)}") from error
    _check_whole(container, stream, end)
    if not frames or failed > DAMAGED * packets:
        raise Undecodable(f"damaged: {failed} of {packets} packets cannot be decoded, {frames} frames could")


def _end(packet: av.Packet) -> float:
    """When the packet's content ends, in seconds on the stream's clock."""
    pts = packet.pts if packet.pts is not None else packet.dts
    if pts is None or packet.time_base is None:
        return 0.0
    return float((pts + (packet.duration or 0)) * packet.time_base)


def _check_whole(container: InputContainer, stream: Stream, end: float) -> None:
    """Compare where the packets end with what the stream, or else the container, declares."""
    if stream.duration and stream.time_base:
        start = float((stream.start_time or 0) * stream.time_base)
        declared = float(stream.duration * stream.time_base)
    else:
        start = (container.start_time or 0) / av.time_base
        declared = (container.duration or 0) / av.time_base
    held = end - start
    if held < WHOLE * declared - TOLERANCE_SECONDS:
        raise Undecodable(f"truncated: holds {held:.2f} s of the {declared:.2f} s that its header declares")
