"""A video is what `index` recorded, or it is not used: DVC does not watch files outside the project."""

import hashlib
import os
from pathlib import Path

from pipeline.media.faults import Undecodable
from pipeline.media.source import open_regular


def check(path: Path, *, bytes: int, sha256: str) -> None:  # noqa: A002  the columns of the table of videos
    """Compare a file with its size and digest in the table of videos.

    Raises:
        Undecodable: the file is absent, or other than it was when `index` ran.
    """
    if not sha256:
        raise Undecodable("absent when `index` ran")
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size != bytes:
            raise Undecodable(f"changed since `index`: found {size:,} bytes, expected {bytes:,}")
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise Undecodable(f"changed since `index`: found sha256 {found[:12]}..., expected {sha256[:12]}...")
