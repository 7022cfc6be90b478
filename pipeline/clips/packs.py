"""The pack format: how frames of many videos lie in one file, and how they are read back.

    pack-000000.bin     JPEG JPEG JPEG ... | what is in it, as JSON | length of that JSON, 8 bytes
    pack-000000.h264    the same of H.264's packets, one a frame (`pipeline.clips.codecs`)

A pack describes itself, so that it can be made by one worker and be whole or absent; `clips.parquet` gathers the
descriptions of all packs, and is all that a reader needs. Frames are read by position, which shares the system's
page cache between processes as a memory map does. A pack is opened once in a process and kept open.
"""

import io
import json
import os
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import numpy as np
import pyarrow as pa

from pipeline.clips.codecs import CODECS
from pipeline.foundations.params.choices import ClipCodec
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import room_for_open_files
from pipeline.foundations.tables import tables

TABLE = "clips.parquet"
EXCLUDED = "excluded.parquet"
SKIP = 16
"""Frames that are rather read, and in H.264 decoded, than skipped: a clip's span is one run."""
_AGAIN = "make the copies again: dvc repro --force prepare_clips"
_LENGTH = struct.Struct("<Q")


def pack_name(number: int, codec: ClipCodec = "jpeg") -> str:
    """The file name of a pack."""
    return f"pack-{number:06d}{CODECS[codec].suffix}"


class Copy(NamedTuple):
    """One video's frames in a pack."""

    video_id: str
    width: int
    height: int
    """Of a frame; pixels."""
    fps: float
    """Frames a second."""
    offsets: tuple[int, ...]
    """Where each stored frame starts in the pack and where the last one ends; bytes."""


class Exclusion(NamedTuple):
    """A video that has no copy, and why."""

    video_id: str
    reason: str


class Contents(NamedTuple):
    """What a pack's own description says."""

    copies: tuple[Copy, ...]
    excluded: tuple[Exclusion, ...]


class PackWriter:
    """Writes one pack, video by video; `close` adds the description."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._copies: list[Copy] = []
        self._excluded: list[Exclusion] = []
        self._end = 0

    def add(self, video_id: str, *, width: int, height: int, fps: float, stored: list[bytes]) -> None:
        """Append a video's frames."""
        offsets = [self._end]
        for frame in stored:
            self._file.write(frame)
            offsets.append(offsets[-1] + len(frame))
        self._end = offsets[-1]
        self._copies.append(Copy(video_id, width, height, fps, tuple(offsets)))

    def exclude(self, video_id: str, reason: str) -> None:
        """Note that a video has no copy here, and why."""
        self._excluded.append(Exclusion(video_id, reason))

    def close(self) -> Contents:
        """Write the description at the end of the pack; returns it."""
        description = json.dumps({"copies": self._copies, "excluded": self._excluded}, separators=(",", ":")).encode()
        self._file.write(description + _LENGTH.pack(len(description)))
        return Contents(tuple(self._copies), tuple(self._excluded))


def _runs(frames: Sequence[int], start: Callable[[int], int]) -> Iterator[list[int]]:
    """Rising frames in runs that are read and decoded in one go: between two, more than SKIP frames are left alone."""
    run = [frames[0]]
    for frame in frames[1:]:
        if start(frame) - run[-1] > SKIP:
            yield run
            run = []
        run.append(frame)
    yield run


def read_contents(path: Path) -> Contents:
    """Read a pack's own description."""
    with path.open("rb") as file:
        file.seek(-_LENGTH.size, 2)
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        file.seek(-_LENGTH.size - length, 2)
        content = json.loads(file.read(length))
    return Contents(
        copies=tuple(
            Copy(name, width, height, fps, tuple(offsets)) for name, width, height, fps, offsets in content["copies"]
        ),
        excluded=tuple(Exclusion(*row) for row in content["excluded"]),
    )


class Packs:
    """Reads frames from a folder of packs by the number of a video, 0 to `len(packs) - 1`, in order of video id.

    Attributes:
        video_ids: the videos that have a copy, an Arrow array of strings, rising.
        sizes: width and height of each video's frames in pixels, V x 2.
        fps: frames a second of each video, V.
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        """Open a folder that `prepare` wrote.

        Raises:
            PlainError: its table is absent or damaged.
        """
        table = tables.read("clips", folder / TABLE)
        offsets = table["offsets"].combine_chunks()
        self.video_ids: pa.StringArray = table["video_id"].combine_chunks()
        self.sizes = np.stack([table["width"].to_numpy(), table["height"].to_numpy()], axis=1)
        self.fps = table["fps"].to_numpy()
        self.folder = folder
        self._codec: ClipCodec = "h264" if (folder / pack_name(0, "h264")).exists() else "jpeg"
        self._pack = table["pack"].to_numpy()
        self._first = offsets.offsets.to_numpy()
        self._offsets = offsets.flatten().to_numpy()
        self._open: OrderedDict[int, io.FileIO] = OrderedDict()
        self._room = 0
        """Packs that this process may keep open; all, but where its hard limit of open files is lower."""

    def __len__(self) -> int:
        return len(self.video_ids)

    def frames(self, video: int) -> int:
        """How many frames a video has."""
        return int(self._first[video + 1] - self._first[video]) - 1

    def pictures(self, video: int, frames: Sequence[int]) -> np.ndarray:
        """Some frames of a video, decoded; uint8 T x H x W x 3.

        Raises:
            PlainError: the pack is absent, shorter than the table says, or damaged.
        """
        runs = list(_runs(sorted(set(frames)), CODECS[self._codec].start))
        if len(runs) == 1:
            return self._decoded(video, frames)
        seen: dict[int, np.ndarray] = {}
        for run in runs:
            seen |= zip(run, self._decoded(video, run), strict=True)
        return np.stack([seen[frame] for frame in frames])

    def _decoded(self, video: int, frames: Sequence[int]) -> np.ndarray:
        """Some frames, from one read of all from the first of them to the last."""
        codec = CODECS[self._codec]
        first = codec.start(min(frames))
        return codec.decode(self.stored(video, range(first, max(frames) + 1)), [frame - first for frame in frames])

    def stored(self, video: int, frames: Sequence[int]) -> list[bytes]:
        """Some frames of a video, as stored; one read, from the first of them to the last.

        Raises:
            PlainError: the pack is absent or shorter than the table says.
        """
        bounds = [self._bounds(video, frame) for frame in frames]
        start, end = min(bounds)[0], max(bounds)[1]
        data = os.pread(self._file(int(self._pack[video])).fileno(), end - start, start)
        if len(data) < end - start:
            path = self._path(int(self._pack[video]))
            raise PlainError(
                f"{path}: ends before the frames of {self.video_ids[video]}; run `dvc repro prepare_clips`"
            )
        return [data[first - start : last - start] for first, last in bounds]

    def _bounds(self, video: int, frame: int) -> tuple[int, int]:
        """Where a stored frame starts in its pack, and where it ends."""
        at = int(self._first[video]) + frame
        return int(self._offsets[at]), int(self._offsets[at + 1])

    def _file(self, number: int) -> io.FileIO:
        """A pack, opened once in this process; where not all may stay open, the least recently used are closed."""
        self._room = self._room or room_for_open_files(len(np.unique(self._pack)))
        if number not in self._open:
            path = self._path(number)
            try:
                self._open[number] = io.FileIO(path)
            except OSError as error:
                raise PlainError(f"{path}: cannot be read: {error.strerror}; {_AGAIN}") from error
            if len(self._open) > self._room:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(number)
        return self._open[number]

    def _path(self, number: int) -> Path:
        return self.folder / pack_name(number, self._codec)

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_open": OrderedDict(), "_room": 0}  # open files cannot be sent to another process

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
