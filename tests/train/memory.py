"""Which of the loader's memory processes hold, as the kernel tells it."""

import os
from contextlib import suppress
from pathlib import Path

import psutil

from pipeline.train.collate import NAME


def held(*, children: bool = True) -> set[int]:
    """The inodes of the loader's memory that this process, and by choice those that it started, keep open."""
    processes = [os.getpid(), *(child.pid for child in psutil.Process().children() if children)]
    found = set()
    for process in processes:
        for link in Path(f"/proc/{process}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                if NAME in str(link.readlink()):
                    found.add(link.stat().st_ino)
    return found
