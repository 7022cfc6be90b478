import hashlib
import os
from pathlib import Path

import pytest

from pipeline.foundations.media import unchanged
from pipeline.foundations.media.faults import Undecodable

CONTENT = b"a video"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a.mp4").write_bytes(CONTENT)
    return tmp_path / "a.mp4"


def test_a_file_as_it_was_passes(path: Path):
    unchanged.check(path, bytes=7, sha256=SHA256)


def test_a_file_touched_but_equal_passes(path: Path):
    os.utime(path, (0, 0))
    unchanged.check(path, bytes=7, sha256=SHA256)


def test_another_size_is_a_change(path: Path):
    path.write_bytes(b"a video, edited")
    with pytest.raises(Undecodable, match="changed since `index`: found 15 bytes, expected 7"):
        unchanged.check(path, bytes=7, sha256=SHA256)


def test_another_byte_is_a_change(path: Path):
    path.write_bytes(b"a vidio")
    with pytest.raises(Undecodable, match=f"changed since `index`: found sha256 .*, expected {SHA256[:12]}"):
        unchanged.check(path, bytes=7, sha256=SHA256)


def test_a_file_that_went_is_named_as_such(path: Path):
    path.unlink()
    with pytest.raises(Undecodable, match="cannot be opened: no such file or directory"):
        unchanged.check(path, bytes=7, sha256=SHA256)


def test_a_file_that_came_after_index_ran_is_not_used(path: Path):
    with pytest.raises(Undecodable, match="absent when `index` ran"):
        unchanged.check(path, bytes=0, sha256="")


def test_a_link_to_an_equal_file_is_refused(path: Path):
    link = path.with_name("b.mp4")
    link.symlink_to(path)
    with pytest.raises(Undecodable, match="symbolic link"):
        unchanged.check(link, bytes=7, sha256=SHA256)
