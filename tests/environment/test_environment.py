"""What `make install` installs, and what it says where it cannot."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest

PARTS = {"build", "base", "cuda", "torch"}
"""Sections of the lock beside those of the extras."""


@pytest.fixture(scope="module")
def sections(root):
    """Sections of requirements.lock by name, each a list of requirements with the lines that belong to them."""
    _, *parts = re.split(r"^# == (\w+) ==$", (root / "requirements.lock").read_text(), flags=re.MULTILINE)
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    return {name: re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:] for name, text in found.items()}


@pytest.fixture
def refused(root, tmp_path):
    """What environment/install.sh says as it gives up; it made nothing."""

    def run(*arguments: str, path: str = os.environ["PATH"]) -> str:
        command = [shutil.which("sh") or "sh", "environment/install.sh", str(tmp_path / "venv"), *arguments]
        done = subprocess.run(
            command, cwd=root, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert not (tmp_path / "venv").exists()
        return done.stderr

    return run


def test_the_lock_has_a_section_for_every_extra(root, sections):
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert sections.keys() == extras.keys() | PARTS


def test_each_package_has_one_version_and_hashes(sections):
    blocks = [block for requirements in sections.values() for block in requirements]
    assert [
        block for block in blocks if not re.match(r"[\w.-]+==\S+( ; .+)? \\\n +--hash=sha256:[0-9a-f]{64}\b", block)
    ] == []
    pins = {block.split(maxsplit=1)[0] for block in blocks}
    assert len({pin.partition("==")[0] for pin in pins}) == len(pins)


def test_the_lock_names_no_index(root):
    assert "index-url" not in (root / "requirements.lock").read_text()


def test_pythons_that_are_too_old_or_stand_for_nothing_are_none(refused, tmp_path):
    for name, script in {"python3.13": "exit 127", "python3.12": "exit 1"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    said = refused(path=str(tmp_path))
    assert said.startswith("no Python 3.11.4 to 3.13 with its venv module found: install one")
    assert said.count("\n") == 1
    assert refused("python3.13", path=str(tmp_path)).startswith("PYTHON=python3.13: expected a Python 3.11.4 to 3.13")


def test_an_unknown_extra_is_told_with_those_there_are(refused):
    assert refused(sys.executable, "", "onnx tensorflow") == (
        "EXTRAS: found 'tensorflow', expected some of hub onnx crate sentences i3d soundnet s3 dask tensorboard dev "
        "lock, or all\n"
    )
