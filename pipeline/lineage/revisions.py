"""Find in git the version of a file or folder that a stage ran with, by its digest in dvc.lock."""

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pipeline.foundations.runtime.digests import files_below, md5_of_files
from pipeline.lineage.lock import Recorded

Files = Mapping[str, bytes]
"""Content by path below the project, `/` between folders."""


def as_it_ran(root: Path, entry: Recorded, revision: str | None) -> Files | None:
    """The files that a recorded file or folder consisted of; None where that version was never committed.

    The `revision` that the stage's record names, if any, comes first, then all that changed the path, newest first.
    """
    for candidate in _revisions(root, entry.path, revision):
        files = _committed(root, candidate, entry.path)
        if files and md5_of_files(entry.path, files) == entry.md5:
            return files
    return None


def now(root: Path, path: str) -> Files:
    """The files on disk that a file or folder consists of; none where it is absent."""
    whole = root / path
    found = files_below(whole) if whole.is_dir() else [whole] if whole.is_file() else []
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in found}


def _revisions(root: Path, path: str, revision: str | None) -> Iterator[str]:
    if revision is not None:
        yield revision
    yield from _git(root, "log", "--format=%H", "--", path).decode().split()


def _committed(root: Path, revision: str, path: str) -> Files:
    """The files at and below `path` in a revision; none where it was not there."""
    names = _git(root, "ls-tree", "-r", "-z", "--name-only", revision, "--", path).decode().split("\0")[:-1]
    return dict(zip(names, _contents(root, revision, names), strict=True))


def _contents(root: Path, revision: str, names: Iterable[str]) -> Iterator[bytes]:
    """The content of files of a revision, all from one process of git."""
    asked = "".join(f"{revision}:{name}\n" for name in names)
    answer = _git(root, "cat-file", "--batch", given=asked.encode())
    while answer:
        head, _, rest = answer.partition(b"\n")  # "<object> blob <size>", then the content and a line break
        size = int(head.split()[2])
        yield rest[:size]
        answer = rest[size + 1 :]


def _git(root: Path, *arguments: str, given: bytes = b"") -> bytes:
    """What git prints; empty where it has nothing to say of this path."""
    run = subprocess.run(["git", *arguments], cwd=root, check=False, capture_output=True, input=given)
    return run.stdout if run.returncode == 0 else b""
