"""Check that a video is unchanged since `index`, since DVC does not watch files outside the project."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from pipeline.foundations.media.faults import Undecodable
from pipeline.foundations.media.source import open_regular
from pipeline.foundations.params import Media

T = TypeVar("T")


class Indexed(Protocol):
    """A video with size and digest from `index`."""

    @property
    def path(self) -> str | Path:
        """Where it is."""

    @property
    def bytes(self) -> int:
        """Its size."""

    @property
    def sha256(self) -> str:
        """Its digest; empty where it was absent."""


class Recorded(NamedTuple):
    """Path, size and digest alone, as sent to the decoding process."""

    path: Path
    bytes: int
    sha256: str


def recorded(video: Indexed) -> Recorded:
    """Path, size and digest of a video."""
    return Recorded(Path(video.path), video.bytes, video.sha256)


def read(file: Recorded, function: Callable[[Path, Media], T], media: Media) -> T:
    """Apply `function` to a file after checking that it is unchanged; runs in the decoding process.

    Raises:
        Undecodable: it has changed; or as the function.
    """
    check(file.path, bytes=file.bytes, sha256=file.sha256)
    return function(file.path, media)


def check_present(file: Recorded) -> None:
    """Refuse a video that `index` did not find.

    Raises:
        Undecodable: it has no digest.
    """
    if not file.sha256:
        raise Undecodable("absent when `index` ran")


def check(path: Path, *, bytes: int, sha256: str) -> None:  # noqa: A002  the columns of the table of videos
    """Compare a file with its size and digest in the table of videos.

    Raises:
        Undecodable: the file is absent, or other than it was when `index` ran.
    """
    check_present(Recorded(path, bytes, sha256))
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size != bytes:
            raise Undecodable(f"changed since `index`: found {size:,} bytes, expected {bytes:,}")
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise Undecodable(f"changed since `index`: found sha256 {found[:12]}..., expected {sha256[:12]}...")
