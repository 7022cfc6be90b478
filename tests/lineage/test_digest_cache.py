"""Digests that are remembered are those of the bytes."""

import os

import pytest

from pipeline.foundations.runtime.digests import md5
from pipeline.lineage import digest_cache
from pipeline.lineage.digest_cache import DigestCache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(digest_cache, "LARGE", 100)
    (tmp_path / "outs/below").mkdir(parents=True)
    (tmp_path / "outs/large").write_bytes(bytes(500))
    (tmp_path / "outs/below/larger").write_bytes(bytes(700))
    (tmp_path / "outs/small").write_bytes(b"x")
    return tmp_path


def _count(monkeypatch):
    read = []

    def counting(path, **options):
        read.extend([path.name] * path.is_file())
        return md5(path, **options)

    monkeypatch.setattr(digest_cache, "md5", counting)
    return read


def _digest(folder):
    cache = DigestCache(folder)
    found = cache.md5(folder / "outs")
    cache.save()
    return found


def test_large_files_are_read_once(folder, monkeypatch):
    read = _count(monkeypatch)
    assert _digest(folder) == md5(folder / "outs")
    assert sorted(read) == ["large", "larger", "small"]
    read.clear()
    assert _digest(folder) == md5(folder / "outs")
    assert read == ["small"]


@pytest.mark.parametrize("keep_time", [False, True])
def test_an_edited_file_is_read_again_whatever_its_time_says(folder, keep_time):
    before, path = _digest(folder), folder / "outs/large"
    status = path.stat()
    path.write_bytes(b"1" + bytes(499))
    if keep_time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert _digest(folder) == md5(folder / "outs") != before


def test_a_damaged_cache_is_made_anew(folder):
    _digest(folder)
    (folder / ".cache/digests.json").write_text("{half")
    assert _digest(folder) == md5(folder / "outs")


def test_an_absent_file_is_an_error(folder):
    with pytest.raises(OSError, match="absent"):
        DigestCache(folder).md5(folder / "absent")
