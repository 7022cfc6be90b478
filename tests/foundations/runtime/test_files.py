"""Whole or absent: what is at a path after success, failure and a kill."""

import hashlib
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError

NOBODY = 65534


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "deep/er/out.txt"
    with files.atomic_write(target) as draft:
        draft.write_text("half")
        assert not target.exists()
        draft.write_text("whole")
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]  # nothing beside it


def test_a_folder_takes_the_place_of_another(tmp_path):
    target = tmp_path / "model"
    for name in ("old", "new"):
        with files.atomic_write(target) as draft:
            draft.mkdir()
            (draft / name).write_text(name)
    assert [path.name for path in target.iterdir()] == ["new"]


def test_a_failure_leaves_what_was_there(tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("before")
    with pytest.raises(UnicodeEncodeError), files.atomic_write(target) as draft:
        draft.write_text("half" * 10_000 + "\ud800", encoding="utf-8")
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_killed_run_left_is_cleared(tmp_path):
    target = tmp_path / "out.txt"
    code = (
        "import os, sys; from pathlib import Path; from pipeline.foundations.runtime.files import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as draft: draft.write_text('half'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, target], check=False).returncode == 9
    assert not target.exists()
    assert list(tmp_path.iterdir()) != []
    files.write_text(target, "whole")
    assert list(tmp_path.iterdir()) == [target]


def test_a_refusal_of_the_file_system_is_plain(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PlainError, match=r"out\.txt: cannot be written: "):
        files.write_text(tmp_path / "file/out.txt", "x")


def test_a_full_disk_is_plain_and_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    sentence = r"out\.txt: cannot be written: No space left on device; it needs more than the 1\.5 MB that were written"
    with pytest.raises(PlainError, match=sentence):
        files.write_text(tmp_path / "out.txt", "x" * 1_500_000)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_permission_is_plain_and_says_who_may_not(tmp_path, without_rights):
    (tmp_path / "closed").mkdir(mode=0o500)
    (tmp_path / "closed/out.txt").touch()
    sentence = r"closed/out\.txt: cannot be written: Permission denied; expected a place where user \d+ may write"
    with without_rights(), pytest.raises(PlainError, match=sentence):
        files.write_text(tmp_path / "closed/out.txt", "new")
    assert (tmp_path / "closed/out.txt").read_text() == ""
    assert len(list((tmp_path / "closed").iterdir())) == 1


@pytest.fixture
def without_rights():
    """Be a user without rights, where the tests run as root, whom no folder is closed to."""

    @contextmanager
    def someone():
        if os.geteuid():
            yield
            return
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)

    return someone


def test_an_input_that_fails_meanwhile_is_named(tmp_path):
    sentence = r"out\.txt: cannot be written: No such file or directory: .*gone"
    with pytest.raises(PlainError, match=sentence), files.atomic_write(tmp_path / "out.txt"):
        (tmp_path / "gone").read_text()


def test_a_body_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(PlainError, match=r"out\.txt: cannot be written"), files.atomic_write(tmp_path / "out.txt"):
        pass


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path):
    (tmp_path / "cache").write_text("shared")
    (tmp_path / "out.txt").symlink_to("cache")
    files.write_text(tmp_path / "out.txt", "new")
    assert (tmp_path / "cache").read_text() == "shared"
    assert (tmp_path / "out.txt").read_text() == "new"


def test_text_has_the_same_bytes_everywhere(tmp_path):
    files.write_text(tmp_path / "out.txt", "é\n")
    assert (tmp_path / "out.txt").read_bytes() == b"\xc3\xa9\n"


@pytest.mark.parametrize("size", [0, 1, 1_000_000])
def test_sha256_is_of_the_bytes(tmp_path, size):
    content = bytes(size)
    (tmp_path / "x").write_bytes(content)
    assert files.sha256(tmp_path / "x") == hashlib.sha256(content).hexdigest()


def test_the_cache_lies_where_dvc_says(monkeypatch):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert files.cache_folder() == Path(".cache")
    monkeypatch.setenv("DVC_ROOT", "/elsewhere")
    assert files.cache_folder() == Path("/elsewhere/.cache")


def test_a_copy_of_an_experiment_knows_that_it_is_one(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert not files.in_a_copy()
    monkeypatch.setenv("DVC_ROOT", f"{tmp_path}/../{tmp_path.name}")
    assert not files.in_a_copy()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path.parent))
    assert files.in_a_copy()


def test_work_is_discarded_at_once_or_when_all_that_uses_it_has_ended_well(tmp_path):
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    for folder in (one, two, three):
        folder.mkdir()
    then = []
    files.remove_work(one, lambda: then.append(one.exists()))
    assert then == [False]
    with files.keep_work_until_success():
        files.remove_work(two, lambda: then.append(two.exists()))
        assert two.exists()
    assert then == [False, False]
    with pytest.raises(KeyError), files.keep_work_until_success():  # noqa: PT012
        files.remove_work(three, lambda: then.append(three.exists()))
        raise KeyError
    assert then == [False, False, True]
    files.remove_work(three, then.clear)
    assert not three.exists()


OPENING = """
import resource, sys
from pipeline.foundations.runtime.files import room_for_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (512, int(sys.argv[1])))
print(room_for_open_files(100), room_for_open_files(2000), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(("hard", "room"), [(4096, "100 2000 2256"), (1024, "100 768 1024")])
def test_the_soft_limit_of_open_files_is_raised_for_those_that_are_kept(hard, room):
    said = subprocess.run([sys.executable, "-c", OPENING, str(hard)], stdout=subprocess.PIPE, text=True, check=True)
    assert said.stdout.split() == room.split()
