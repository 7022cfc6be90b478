"""The store of downloads: pins, first use, offline, one process at a time."""

import hashlib
import json

import pytest
from filelock import FileLock

from pipeline.foundations.runtime.errors import PlainError
from pipeline.weights import downloads
from pipeline.weights.downloads import http

DATA = b"weights " * 10_000
SHA256 = hashlib.sha256(DATA).hexdigest()
MD5 = hashlib.md5(DATA).hexdigest()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(http, "PAUSES", ())


def fetch(url, **changes):
    return downloads.fetch(url, **{"label": "weights"} | changes)


def test_a_file_is_kept_with_a_record_of_its_hash(loopback, tmp_path):
    got = fetch(loopback.put("/model/w.bin?format=raw", DATA))
    assert got.path.read_bytes() == DATA
    assert got.path.is_relative_to(tmp_path / ".cache/downloads")
    assert got.path.name == "w.bin"
    assert (got.source, got.sha256, got.bytes) == (loopback.url + "/model/w.bin?format=raw", SHA256, len(DATA))
    assert not got.pinned
    assert json.loads((got.path.parent / "record.json").read_text())["sha256"] == SHA256


def test_what_is_there_is_used_offline(loopback):
    url = loopback.put("/w.bin", DATA)
    first = fetch(url)
    loopback.resources.clear()
    assert fetch(url) == first
    assert len(loopback.asked) == 1


def test_a_file_put_there_by_hand_is_used(loopback):
    url = loopback.url + "/w.bin"
    path = downloads.place_of(url)
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    assert fetch(url).sha256 == SHA256
    assert loopback.asked == []


def test_a_damaged_file_is_fetched_again(loopback, capsys):
    url = loopback.put("/w.bin", DATA)
    path = fetch(url).path
    path.write_bytes(DATA[:-1])
    assert fetch(url).path.read_bytes() == DATA
    assert "damaged since it was fetched" in capsys.readouterr().err


@pytest.mark.parametrize("pin", [f"sha256={SHA256}", f"sha256={SHA256[:8]}", f"md5={MD5}"])
def test_a_right_pin_is_checked_and_said_so(loopback, pin):
    assert fetch(loopback.put("/w.bin", DATA), pin=pin).pinned
    got = fetch(f"{loopback.url}/w.bin#{pin}")
    assert got.pinned
    assert got.source == loopback.url + "/w.bin"


@pytest.mark.parametrize("pin", [f"sha256={SHA256[::-1]}", f"sha256={'0' * 8}", f"md5={MD5[::-1]}"])
def test_a_wrong_pin_removes_the_file(loopback, pin):
    url = loopback.put("/w.bin", DATA)
    with pytest.raises(PlainError, match=f"wrong {pin.partition('=')[0]}: found .*, expected .*; it was removed"):
        fetch(url, pin=pin)
    assert not downloads.place_of(url).exists()
    assert not (downloads.place_of(url).parent / "record.json").exists()


def test_a_file_that_changed_since_its_first_use_is_refused(loopback):
    url = loopback.put("/w.bin", DATA)
    path = fetch(url).path
    path.unlink()
    loopback.put("/w.bin", DATA + b"!")
    with pytest.raises(PlainError, match=f"changed since its first use: found sha256 .*, recorded {SHA256}"):
        fetch(url)
    assert not path.exists()
    (path.parent / "record.json").unlink()
    assert fetch(url).bytes == len(DATA) + 1


@pytest.mark.parametrize("pin", ["sha256=12", "sha1=" + "0" * 40, "md5=00", "latest", "sha256=" + "G" * 64])
def test_a_pin_that_is_none_is_an_error(loopback, pin):
    with pytest.raises(PlainError, match=r"found the pin .*, expected sha256="):
        fetch(f"{loopback.url}/w.bin#{pin}")


@pytest.mark.parametrize("url", ["http://example.org/w.bin", "ftp://example.org/w.bin", "w.bin", "http://[::2]/w.bin"])
def test_an_open_channel_needs_a_pin(url):
    with pytest.raises(PlainError, match="expected an https address, or the file's hash behind it"):
        fetch(url)


def test_a_broken_record_is_named(loopback):
    url = loopback.put("/w.bin", DATA)
    record = fetch(url).path.parent / "record.json"
    record.write_text("{")
    with pytest.raises(PlainError, match=r"record\.json: not a record of a download"):
        fetch(url)


def test_two_processes_do_not_write_one_file(loopback):
    url = loopback.put("/w.bin", DATA)
    folder = downloads.place_of(url).parent
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"), pytest.raises(PlainError, match="another process is downloading it"):
        fetch(url)


def test_a_redirect_is_followed(loopback):
    loopback.put("/mirror", DATA)
    assert fetch(loopback.put("/w.bin", b"", location="/mirror")).sha256 == SHA256
