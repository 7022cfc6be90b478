"""Hashing that remembers: the same digests with and without what an earlier run kept."""

import hashlib
import os
import sqlite3

import pytest

from pipeline.dataset import digests as module
from pipeline.dataset.digests import Digest, FileState, digests
from pipeline.foundations.runtime.errors import PlainError


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path / ".cache/index/digests.sqlite"


@pytest.fixture
def reads(monkeypatch):
    """Which files are really read."""
    read = []
    real = module.files.sha256
    monkeypatch.setattr(module.files, "sha256", lambda path: (read.append(path.name), real(path))[1])
    return read


def write(folder, contents: dict[str, bytes]) -> list[FileState]:
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [state(folder / name) for name in contents]


def state(path) -> FileState:
    found = path.stat()
    return FileState(str(path), found.st_size, found.st_mtime_ns)


def digest(content: bytes) -> Digest:
    return Digest(hashlib.sha256(content).hexdigest(), "")


def test_digests_come_in_order(cache, tmp_path):
    contents = {f"{number}.mp4": os.urandom(number) for number in range(600)}  # several batches
    assert digests(write(tmp_path / "v", contents), workers=3) == [digest(content) for content in contents.values()]


def test_each_file_is_read_once(cache, tmp_path, reads):
    states = write(tmp_path / "v", {"a": b"1", "b": b"2"})
    first = digests(states, workers=1)
    assert digests(states, workers=1) == first
    assert sorted(reads) == ["a", "b"]


@pytest.mark.parametrize("change", ["bytes", "time"])
def test_a_changed_file_is_read_again_and_it_alone(cache, tmp_path, reads, change):
    states = write(tmp_path / "v", {"a": b"1", "b": b"2"})
    digests(states, workers=1)
    reads.clear()
    if change == "bytes":
        (tmp_path / "v/a").write_bytes(b"333")
        os.utime(tmp_path / "v/a", ns=(states[0].mtime_ns, states[0].mtime_ns))
    else:
        (tmp_path / "v/a").write_bytes(b"4")
        os.utime(tmp_path / "v/a", ns=(states[0].mtime_ns + 1, states[0].mtime_ns + 1))
    found = digests([state(tmp_path / "v/a"), states[1]], workers=1)
    assert found == [digest((tmp_path / "v/a").read_bytes()), digest(b"2")]
    assert reads == ["a"]


def test_a_file_that_cannot_be_read_has_a_reason_and_is_not_remembered(cache, tmp_path, reads):
    states = write(tmp_path / "v", {"a": b"1", "b": b"2"})
    (tmp_path / "v/a").unlink()
    assert digests(states, workers=2) == [Digest("", "cannot be read: No such file or directory"), digest(b"2")]
    assert digests(write(tmp_path / "v", {"a": b"1"}), workers=2) == [digest(b"1")]


def test_a_file_that_changes_meanwhile_has_a_reason(cache, tmp_path):
    states = write(tmp_path / "v", {"a": b"1"})
    (tmp_path / "v/a").write_bytes(b"22")
    assert digests(states, workers=1) == [Digest("", "changed while it was hashed")]


def test_a_killed_run_keeps_what_it_saved(cache, tmp_path, monkeypatch, reads):
    states = write(tmp_path / "v", {f"{number:03d}": b"x" for number in range(module._BATCH + 10)})
    counted = module.files.sha256

    def dies(path):
        if path.name == f"{module._BATCH + 5:03d}":
            raise KeyboardInterrupt
        return counted(path)

    with monkeypatch.context() as context:
        context.setattr(module.files, "sha256", dies)
        with pytest.raises(KeyboardInterrupt):
            digests(states, workers=1)
    reads.clear()
    assert digests(states, workers=1) == [digest(b"x")] * len(states)
    assert len(reads) == 10


@pytest.mark.parametrize("damage", [b"not a database at all" * 100, b""])
def test_a_damaged_cache_is_made_again(cache, tmp_path, damage):
    states = write(tmp_path / "v", {"a": b"1"})
    cache.parent.mkdir(parents=True)
    cache.write_bytes(damage)
    assert digests(states, workers=1) == [digest(b"1")]
    assert digests(states, workers=1) == [digest(b"1")]


def test_a_cache_damaged_in_the_middle_is_made_again(cache, tmp_path):
    states = write(tmp_path / "v", {f"{number:04d}": b"%d" % number for number in range(600)})
    first = digests(states, workers=1)
    content = bytearray(cache.read_bytes())
    content[5000:-100] = b"\xff" * (len(content) - 5100)
    cache.write_bytes(content)
    assert digests(states, workers=1) == first


def test_a_cache_that_another_process_holds_is_named(cache, tmp_path, monkeypatch):
    states = write(tmp_path / "v", {"a": b"1"})
    digests(states, workers=1)
    real = sqlite3.connect
    monkeypatch.setattr(module.sqlite3, "connect", lambda path, timeout: real(path, timeout=0.01))
    holder = real(cache)
    try:
        holder.execute("begin exclusive")
        with pytest.raises(PlainError, match=r"digests\.sqlite: cannot be used: database is locked"):
            digests(states, workers=1)
    finally:
        holder.close()


def test_no_file_at_all(cache):
    assert digests([], workers=2) == []
