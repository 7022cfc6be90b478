"""Download one file over HTTP, with progress, resuming after an interruption.

A partial file is kept in `NAME.part`, with the server's identifier of that version (a strong ETag, or the time of its
last change) in `NAME.part.version`. A later request asks for the rest of that version only; a server that has another
one, or does not support ranges, sends the whole file. Without an identifier nothing is kept.
"""

import errno
import os
import shutil
import time
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import requests
from requests.exceptions import ProxyError, SSLError
from urllib3.exceptions import HTTPError as TransferError

from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import track

MIB = 2**20
TIMEOUTS = (15.0, 60.0)  # seconds to connect, and without a byte
PAUSES = (1.0, 4.0)  # seconds before the second attempt and the third
MOST_BYTES = 16 * 2**30
MOST_UNDECLARED = 4 * 2**30
"""Of a file whose size the server does not tell (no Content-Length): more than any published one has."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ADVICE = {
    401: "it asks for a login; fetch the file by hand",
    403: "it refuses; fetch the file by hand, or ask who runs the network",
    404: "is the name spelled as it is published?",
    407: "the proxy asks for a login: put it in HTTPS_PROXY",
    429: "it was asked too often; wait a while",
}


def receive(address: str, target: Path, *, label: str, pinned: bool) -> None:
    """Download the file at `address` to `target`; on any failure nothing is at `target`.

    Args:
        address: http or https.
        target: in a folder that exists and that no other process uses.
        label: what the progress line calls the file.
        pinned: its hash is known, so any other file is detected.

    Raises:
        PlainError: the server, the proxy, the connection or the disk says no; each says what to do.
    """
    part = target.with_name(target.name + ".part")
    for pause in (*PAUSES, None):
        try:
            _request(address, part, label, pinned=pinned)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(target)
        except (requests.ConnectionError, requests.Timeout, TransferError) as error:
            if pause is None or isinstance(error, ProxyError | SSLError):
                _give_up(address, target, part, error)
            time.sleep(pause)
        except requests.RequestException as error:
            raise PlainError(f"{address}: cannot be fetched: {error}") from error
        except OSError as error:
            _forget(part)
            why = "the disk is full" if error.errno in FULL else error.strerror or str(error)
            raise PlainError(f"{part}: cannot be written: {why}; it was removed. Make room, and try again") from error
        else:
            _forget(part)
            return


def _request(address: str, part: Path, label: str, *, pinned: bool) -> None:
    """Send one request, for the rest of `part` if there is one, and write the answer."""
    start = part.stat().st_size if part.is_file() and _version_of(part).is_file() else 0
    headers = {"Accept-Encoding": "identity"}  # no compression: bytes are counted and hashed as published
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": _version_of(part).read_text(encoding="utf-8")}
    with requests.get(address, headers=headers, stream=True, timeout=TIMEOUTS) as response:
        if start and response.status_code == requests.codes.requested_range_not_satisfiable:
            _forget(part)
            raise requests.ConnectionError("the server has nothing beyond what is here; starting over")
        _check_answer(address, response, pinned=pinned)
        if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            start = 0
        _note_version(part, response)
        declared = response.headers.get("Content-Length", "")
        total = start + int(declared) if declared.isdecimal() else None
        _check_room(address, part, total, start)
        with part.open("ab" if start else "wb") as file:
            chunks = response.raw.stream(MIB, decode_content=False)
            for chunk in track(chunks, total=-(-((total or start) - start) // MIB), label=f"{label}, MiB"):
                file.write(chunk)
                if total is None and file.tell() > MOST_UNDECLARED:
                    _forget(part)
                    raise PlainError(
                        f"{address}: sends more than {MOST_UNDECLARED:,} bytes without saying how many there are "
                        "(Content-Length); it was stopped and removed. Fetch the file by hand, if it is meant"
                    )


def _check_answer(address: str, response: requests.Response, *, pinned: bool) -> None:
    """Describe a response that is not the file."""
    code = response.status_code
    if code >= requests.codes.bad_request:
        raise PlainError(
            f"{address}: the server answers {code} {response.reason}; {ADVICE.get(code, 'try again later')}"
        )
    if pinned:
        return
    if address.startswith("https:") and not response.url.startswith("https:"):
        raise PlainError(f"{address}: leads to {response.url}, where anybody could change it; expected https")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise PlainError(f"{address}: this is a web page, not a file; does the address ask for a login?")


def _check_room(address: str, part: Path, total: int | None, start: int) -> None:
    """Fail before the first byte where the disk has no room for the file."""
    if total is None:
        return
    if total > MOST_BYTES:
        raise PlainError(f"{address}: {total:,} bytes are more than the limit of {MOST_BYTES:,}")
    free = shutil.disk_usage(part.parent).free
    if total - start > free:
        raise PlainError(f"{address}: needs {total - start:,} bytes in {part.parent}, and {free:,} are free")


def _version_of(part: Path) -> Path:
    return part.with_name(part.name + ".version")


def _note_version(part: Path, response: requests.Response) -> None:
    """Keep the server's ETag of this version of the file; a weak one does not identify bytes."""
    version = response.headers.get("ETag") or response.headers.get("Last-Modified")
    if version and not version.startswith("W/"):
        files.write_text(_version_of(part), version)
    else:
        _version_of(part).unlink(missing_ok=True)


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _version_of(part).unlink(missing_ok=True)


def _give_up(address: str, target: Path, part: Path, error: Exception) -> NoReturn:
    """Describe why the server cannot be reached, and what to do."""
    host = urlsplit(address).hostname
    if isinstance(error, ProxyError):
        hint = "see HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
        raise PlainError(f"{address}: the proxy does not let us through; {hint}: {error}") from error
    if isinstance(error, SSLError):
        hint = "a company's own certificate goes in REQUESTS_CA_BUNDLE"
        raise PlainError(f"{address}: no connection to {host} that can be trusted; {hint}: {error}") from error
    size = part.stat().st_size if part.is_file() else 0
    if not _version_of(part).is_file():
        _forget(part)
    if size:
        kept = "are kept" if part.is_file() else "cannot be completed by this server and were removed"
        raise PlainError(f"{address}: the connection breaks; {size:,} bytes {kept}, run again: {error}") from error
    raise PlainError(f"{address}: {host} cannot be reached; offline, put the file at {target}: {error}") from error
