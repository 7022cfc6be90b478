"""A run of every stage under watch, in a private clone."""

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.house.clones import ROOT, clone, declared_stages, environment


class Watched(NamedTuple):
    """What one stage did while it ran."""

    modules: set[str]
    params: set[str]


class House(NamedTuple):
    """A clone after a run of all its stages."""

    root: Path
    stages: dict[str, dict[str, Any]]
    watched: dict[str, Watched]


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Run every stage once, in order, in a private clone, under the recorder of tests/recorder."""
    root = clone(tmp_path_factory.mktemp("house"))
    stages = declared_stages(root)
    watched = {}
    for name in stages:
        record = tmp_path_factory.mktemp(f"record-{name}")
        run = subprocess.run(
            [sys.executable, "-m", f"stages.{name}"], cwd=root, capture_output=True, text=True,
            env=environment(M3A_RECORD=str(record), PYTHONPATH=str(ROOT / "tests" / "recorder")),
        )  # fmt: skip
        assert run.returncode == 0, f"stage {name}:\n{run.stderr[-3000:]}"
        facts = [line.split(" ", 1) for file in record.iterdir() for line in file.read_text().splitlines()]
        watched[name] = Watched(
            modules={fact for kind, fact in facts if kind == "module"},
            params={fact for kind, fact in facts if kind == "param"},
        )
    return House(root, stages, watched)
