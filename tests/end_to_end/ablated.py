"""A small ablation whose second row of three cannot work: what it says, what it leaves, what its stages did.

One after the other: what is opened while two run cannot be told apart. test_real.py runs two at once.
"""

import re
import subprocess
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from tests.end_to_end.clones import environment, frozen_stages
from tests.end_to_end.watch import Watch, Watched

ROWS = "gcn,transformer,transformer-merged"
COMMAND = ("ablate", "relations", "--mode", "frozen", "--tune", "--seeds", "2", "--rows", ROWS)
SETTINGS = (
    "transformer.attention_heads=11", "transformer.block=full", "train.schedule=step", "frozen.schedule=step",
    "frozen.views=1",
    "evaluate.temporal_views=1", "evaluate.spatial_views=1", "execution.workers=1",
    "frozen.tune_learning_rates=[0.05, 0.5, 5.0]", "frozen.tune_weight_decays=[1.0e-5]", "frozen.tune_epochs=[2]",
)  # fmt: skip
"""Eleven attention heads divide the 384 + 100 features of merged forms, but not
the 384 of sounds alone: the row in the middle fails. Another block and schedule take up what the others leave aside;
the rest makes the work small."""
EXPERIMENTS = ".dvc/tmp/exps/standalone"
"""Where DVC copies the project to for each experiment."""
COPY = re.compile(r"tmp[^/]+/")
NOT_OURS = (".git", ".dvc", ".cache", "__pycache__")
"""Beside what git, DVC and Python keep, the work in progress, which all copies of the project share (DVC_ROOT)."""


class Ablated(NamedTuple):
    """A copy of a finished pipeline after `m3a ablate`."""

    root: Path
    status: int
    said: str
    watched: dict[str, Watched]
    """What the stages of data/frozen/dvc.yaml did, in all experiments together."""
    before: dict[str, str]
    """The digest of every file of the working tree before."""
    after: dict[str, str]
    """Likewise after."""


def ablate(root: Path, folder: Path) -> Ablated:
    """Run `m3a ablate` in a copy of a finished pipeline."""
    before, said = _tree(root), folder.with_suffix(".log")
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    command = [sys.executable, "-m", "pipeline.cli", *COMMAND, *settings]
    (root / EXPERIMENTS).mkdir(parents=True)
    with Watch(root / EXPERIMENTS, folder) as watch, said.open("w") as log:
        own = watch.environment(environment())
        run = subprocess.run(command, cwd=root, env=own, stdout=log, stderr=subprocess.STDOUT, timeout=3600)
    watched = {name: _in_project(watch.of(f"{name}@ablate")) for name in frozen_stages(root)}
    return Ablated(root, run.returncode, said.read_text(), watched, before, _tree(root))


def running(root: Path) -> list[str]:
    """The commands of all processes that descend from `ablate(root, ...)`, whose watch they carry with them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # gone meanwhile, or another user's
            if f"M3A_RECORD={root.parent}/".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def _in_project(watched: Watched) -> Watched:
    """What was opened in DVC's copies of the project, as paths in the project."""
    opened = {COPY.sub("", path, count=1) for path in watched.opened if COPY.match(path)}
    return watched._replace(opened=opened)


def _tree(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    names = {path.relative_to(root).as_posix(): path for path in files}
    return {
        name: sha256(path.read_bytes()).hexdigest()
        for name, path in names.items()
        if not set(NOT_OURS).intersection(name.split("/"))
    }
