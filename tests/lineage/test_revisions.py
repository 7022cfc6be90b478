"""Code as it ran, found in git: by the digest that dvc.lock holds, of a file or of a folder."""

import subprocess

import pytest

from pipeline.foundations.runtime import digests
from pipeline.lineage import lock, revisions
from pipeline.lineage.lock import Recorded

FIRST = {"code/a.py": "A = 1\n", "code/below/b.py": "B = 1\n"}


@pytest.fixture
def project(tmp_path):
    """A repository of a folder of code with two revisions; a file names the first."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    _commit(tmp_path, FIRST)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    (tmp_path / "first").write_text(head.strip())
    return tmp_path


def _commit(root, files):
    _write(root, files)
    for command in (
        ["add", "code"],
        ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "change"],
    ):
        subprocess.run(["git", *command], cwd=root, check=True)


def _write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize("path", ["code", "code/a.py", "code/below"])
@pytest.mark.parametrize("known", [True, False])
def test_what_ran_is_found_in_an_older_revision(project, path, known):
    ran = Recorded(path, digests.md5(project / path))
    _commit(project, {"code/a.py": "A = 2\n", "code/below/b.py": "B = 2\n"})
    expected = {name: text.encode() for name, text in FIRST.items() if lock.holds(path, name)}
    assert revisions.as_it_ran(project, ran, (project / "first").read_text() if known else None) == expected


def test_what_was_never_committed_is_not_found(project):
    _write(project, {"code/a.py": "A = 3\n"})
    assert revisions.as_it_ran(project, Recorded("code", digests.md5(project / "code")), None) is None


def test_what_is_there_now_leaves_byte_code_out(project):
    _write(project, {"code/__pycache__/a.cpython-311.pyc": "compiled"})
    assert set(revisions.now(project, "code")) == set(FIRST)
    assert revisions.now(project, "code/a.py") == {"code/a.py": b"A = 1\n"}
    assert revisions.now(project, "gone") == {}
