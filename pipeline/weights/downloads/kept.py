"""The cache of downloads, and the hashes that identify the published files.

A file is kept in `.cache/downloads` with a record of its SHA-256, and used from there, offline too. A published
hash (a pin) is checked; where none is known, the first download is recorded, and a later one must equal it.
"""

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say
from pipeline.weights.downloads.http import receive

_PIN = re.compile(r"sha256=[0-9a-f]{8,64}|md5=[0-9a-f]{32}")


class Download(NamedTuple):
    """A complete file."""

    path: Path
    source: str
    """Its address, without the pin."""
    sha256: str
    bytes: int
    pinned: bool
    """Whether its hash was known before, rather than recorded on first use."""


def fetch(url: str, *, label: str, pin: str | None = None) -> Download:
    """Download the file at `url` to `.cache/downloads`, or find it there.

    Args:
        url: https address; plain http only from this machine or with a pin. A pin may follow as a fragment, as pip
            writes it: `https://host/name.bin#sha256=0aa0...`; it goes before `pin`.
        label: what the progress line calls the file.
        pin: its published hash, `sha256=` and the first 8 to 64 digits, or `md5=` and 32.

    Raises:
        PlainError: the server, the proxy, the connection, the disk or the hash says no; each says what to do.
    """
    address, _, fragment = url.partition("#")
    pin = fragment or pin
    if pin and not _PIN.fullmatch(pin):
        raise PlainError(
            f"{url}: found the pin {pin!r}, expected sha256= and 8 to 64 hexadecimal digits, or md5= and 32"
        )
    if not (pin or _is_private(address)):
        raise PlainError(f"{address}: expected an https address, or the file's hash behind it: {address}#sha256=...")
    target = place_of(address)
    with _alone(target):
        if not _is_kept(target):
            receive(address, target, label=label, pinned=pin is not None)
        return _checked(target, address, pin)


def place_of(address: str) -> Path:
    """The cache path of an address; a file put there by hand is used, and recorded on first use."""
    name = re.sub(r"[^\w.-]+", "_", unquote(urlsplit(address).path).rsplit("/", 1)[-1]).lstrip(".")
    return files.cache_folder() / "downloads" / hashlib.sha256(address.encode()).hexdigest()[:16] / (name or "file")


def _is_private(address: str) -> bool:
    """Whether the connection cannot be tampered with."""
    parts = urlsplit(address)
    try:
        loopback = parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        loopback = False  # a name, not a number
    return parts.scheme == "https" or (parts.scheme == "http" and loopback)


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Lock the file's folder, so that two processes never write the same file."""
    lock = FileLock(target.parent / ".lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise PlainError(f"{target}: another process is downloading it; wait for it, or stop it") from error
    except OSError as error:
        raise PlainError(f"{target.parent}: cannot be written: {error.strerror or error}") from error
    with lock:
        yield


def _record_of(target: Path) -> Path:
    return target.with_name("record.json")


def _recorded(target: Path) -> str | None:
    """The SHA-256 that was recorded on first use, or None before it."""
    try:
        return str(json.loads(_record_of(target).read_text(encoding="utf-8"))["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlainError(f"{_record_of(target)}: not a record of a download; delete it to make a new one") from error


def _is_kept(target: Path) -> bool:
    """Whether the file is there and unchanged; a damaged one is removed."""
    if not target.is_file():
        return False
    recorded = _recorded(target)
    if recorded is None or files.sha256(target) == recorded:
        return True
    say(f"{target}: damaged since it was fetched; fetching it again")
    target.unlink()
    return False


def _checked(target: Path, address: str, pin: str | None) -> Download:
    """Check a whole file's hash against the pin and the record; record it on first use.

    Raises:
        PlainError: it is another file, which is removed.
    """
    digest, recorded = files.sha256(target), _recorded(target)
    algorithm, _, expected = (pin or "").partition("=")
    found = _md5(target) if algorithm == "md5" else digest
    if pin and not found.startswith(expected):
        target.unlink()
        raise PlainError(
            f"{address}: wrong {algorithm}: found {found}, expected {expected}; it was removed. Try again; "
            "if it stays wrong, the file at that address is not the published one"
        )
    if recorded not in (None, digest) and not pin:
        target.unlink()
        raise PlainError(
            f"{address}: changed since its first use: found sha256 {digest}, recorded {recorded}; it was removed. "
            f"To trust the new one, delete {_record_of(target)}"
        )
    size = target.stat().st_size
    record = {"url": address, "sha256": digest, "bytes": size}
    files.write_text(_record_of(target), json.dumps(record, indent=1, sort_keys=True) + "\n")
    return Download(target, address, digest, size, pinned=pin is not None)


def _md5(path: Path) -> str:
    """Published lists still use MD5, which detects accidental changes; SHA-256 is recorded, too."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
