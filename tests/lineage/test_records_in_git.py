"""Records that git tracks: two branches' are joined, and an old one is found in the history."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.foundations.runtime import record_store
from pipeline.lineage import records
from pipeline.lineage.lock import Recorded, Stage

ROOT = Path(__file__).resolve().parents[2]


def _git(root, *arguments):
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def _stage(value):
    return Stage("fit", (Recorded("a.py", "0a"),), (Recorded("made", f"{value:02}"),), {"value": value})


def _record(value):
    stage = _stage(value)
    return {"id": f"2026-{value}", "key": records.key_of(stage), "stage": "fit", "outcome": "finished",
            "started": f"2026-01-0{value}", "deps": {"a.py": "0a"}, "params": {"value": value},
            "outs": {"made": f"{value:02}"}}  # fmt: skip


@pytest.fixture
def repository(tmp_path):
    """With one record, on branch main."""
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    _git(tmp_path, "init", "-q", "-b", "main")
    _add(tmp_path, 1)
    return tmp_path


def _add(root, value):
    assert record_store.track(root, _record(value))
    _git(root, "add", "-A")
    _git(root, "commit", "-qm", f"run {value}")


def _kept(root):
    lines = record_store.tracked(root, "fit").read_text().splitlines()
    return sorted(json.loads(line)["params"]["value"] for line in lines)


def test_what_two_branches_add_is_joined_in_a_merge(repository):
    _git(repository, "checkout", "-qb", "other")
    _add(repository, 2)
    _git(repository, "checkout", "-q", "main")
    _add(repository, 3)
    _git(repository, "merge", "-q", "--no-edit", "other")
    assert _kept(repository) == [1, 2, 3]
    assert all(records.record_of(repository, _stage(value)) == _record(value) for value in (1, 2, 3))


def test_what_was_removed_since_and_what_a_branch_has_are_found(repository):
    _git(repository, "checkout", "-qb", "other")
    _add(repository, 2)
    _git(repository, "checkout", "-q", "main")
    record_store.tracked(repository, "fit").unlink()
    _git(repository, "commit", "-qam", "cleared")
    assert records.record_of(repository, _stage(1)) == _record(1)
    assert records.record_of(repository, _stage(2)) == _record(2)
    assert records.record_of(repository, _stage(3)) is None


def test_a_second_run_with_the_same_result_adds_no_line(repository):
    assert not record_store.track(repository, _record(1) | {"id": "another"})
    assert _kept(repository) == [1]


def test_a_line_that_is_none_is_left_out(repository):
    path = record_store.tracked(repository, "fit")
    path.write_text("<<<<<<< HEAD\n" + path.read_text() + "[1]\n{}\n")
    assert record_store.read(repository, "fit") == [_record(1)]
