"""MD5 digests of files and folders as DVC defines them, computed here so that an auditor need not trust DVC.

A file's digest is the MD5 of its bytes; a folder's is the MD5 of the JSON list of its files' digests and relative
paths, sorted, with `.dir` at its end. MD5 identifies content in DVC; it is not secure against forgery.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

PAGE = "README.md"
"""The page of a package, which .dvcignore excludes."""


def md5(path: Path, *, of_file: Callable[[Path], str] | None = None) -> str:
    """A file's or folder's digest.

    Args:
        path: of the file or folder.
        of_file: gives a file's digest, instead of reading its bytes.

    Raises:
        OSError: it is absent or cannot be read.
    """
    of_file = of_file or _md5_of_file
    if path.is_dir():
        return _md5_of_listing({file.relative_to(path).as_posix(): of_file(file) for file in files_below(path)})
    return of_file(path)


def _md5_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def files_below(folder: Path) -> list[Path]:
    """The files of a folder that count in its digest: as .dvcignore has it, no compiled code and no package's page."""
    files = {file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts}
    return sorted(file for file in files if file.name != PAGE or file.parent / "__init__.py" not in files)


def md5_of_files(path: str, files: Mapping[str, bytes]) -> str:
    """The digest of a file or folder of the project from the content of its files, by path."""
    if path in files:
        return md5_of(files[path])
    pages = {name for name in files if f"{name.removesuffix(PAGE)}__init__.py" in files and name.endswith(f"/{PAGE}")}
    counted = {name.removeprefix(f"{path}/"): md5_of(files[name]) for name in files.keys() - pages}
    return _md5_of_listing(counted)


def _md5_of_listing(digests: Mapping[str, str]) -> str:
    """A folder's digest from its files', by path below it."""
    listing = [{"md5": digests[name], "relpath": name} for name in sorted(digests)]
    return md5_of(json.dumps(listing, sort_keys=True).encode()) + ".dir"


def md5_of(content: bytes) -> str:
    """The MD5 of bytes."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
