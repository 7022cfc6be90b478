"""Stages of a finished pipeline run again and killed on the way: what they leave, and what the next run makes of it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from tests.end_to_end.clones import PipelineRun, change_params, environment

LONG = ("filter_silent", "extract_vggish", "prepare_clips", "train", "evaluate", "explain", "render")
WORKERS = 2
OFTEN = {
    "execution": {"workers": WORKERS, "device": "cpu", "checkpoint_minutes": 1e-9},
    "filter_silent": {"shard_size": 4},
    "evaluate": {"shard_size": 2},
}
"""Something is finished every moment; none of these values changes a byte."""
PATIENCE = 10.0
"""Seconds within which all that a killed stage started has gone."""
_MARK = "M3A_KILLED_RUN"
_NOT_OURS = (".git", ".dvc", ".cache", "data/runs", "__pycache__")


class Left(NamedTuple):
    """What a killed run leaves for the next."""

    whole: set[str]
    """Names of its finished shards."""
    begun: set[str]
    """Names of those that were being made."""
    others: set[str]
    """Names of what else is in its place."""


class KilledStage:
    """A copy of a finished pipeline, in which one stage is to be run again, its outputs removed as DVC does it."""

    def __init__(self, pipeline_run: PipelineRun, stage: str, root: Path, *, temporary: Path) -> None:
        """Copy by hard links: nothing here writes into a file that is in its place."""
        ignored = shutil.ignore_patterns(".git", ".cache", "__pycache__", "tmp", "cache")
        shutil.copytree(pipeline_run.root, root, copy_function=os.link, ignore=ignored)
        (root / "params.yaml").unlink()
        shutil.copyfile(pipeline_run.root / "params.yaml", root / "params.yaml")
        change_params(root, OFTEN)
        self.stage, self.root, self.mark = stage, root, uuid.uuid4().hex
        self.command = [sys.executable, "-m", f"stages.{stage}"]
        self.outputs = _outputs(pipeline_run.stages[stage])
        self.undisturbed = self.made()
        self.tree = self._tree()
        self.said = root.with_name(f"{root.name}.log")
        self.temporary = temporary
        self.temporary.mkdir()  # what temporary files a run may use; it should leave none

    def made(self) -> dict[str, str]:
        """The digests of all files among the stage's outputs, but for those that are being made."""
        paths = [path for output in self.outputs for path in (self.root / output, *_below(self.root / output))]
        files = [path for path in sorted(paths) if path.is_file() and path.parent.suffix != ".draft"]
        return {str(path.relative_to(self.root)): _digest(path) for path in files}

    def start(self) -> subprocess.Popen[bytes]:
        """Run the stage, without its outputs, in a process group of its own."""
        for output in self.outputs:
            path = self.root / output
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        folders = {"TMPDIR": str(self.temporary), "TORCHINDUCTOR_CACHE_DIR": f"{self.temporary}.torch"}
        own = environment(PYTHONPATH="", **folders, **{_MARK: self.mark})
        with self.said.open("wb") as log:
            return subprocess.Popen(self.command, cwd=self.root, env=own, stderr=log, start_new_session=True)

    def finish(self) -> str:
        """Run the stage to its end, which should be a good one; returns what it said."""
        status = self.start().wait(600)
        said = self.said.read_text()
        assert status == 0, said[-3000:]
        return said

    def kill(self, process: subprocess.Popen[bytes], whom: str) -> Left:
        """End the whole process group, or the stage alone, and wait until nothing of it is left running."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL) if whom == "group" else process.kill()
        process.wait()
        survivors = self.wait_for(lambda: not self.running())
        assert survivors, f"still running after {PATIENCE:g} s: {self.running()}"
        return self.left()

    def wait_for(self, condition: Callable[[], object]) -> bool:
        """Whether it comes true in time."""
        end = time.monotonic() + PATIENCE
        while not condition() and time.monotonic() < end:
            time.sleep(0.01)
        return bool(condition())

    def running(self) -> list[str]:
        """The processes that descend from a run of this stage."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if f"{_MARK}={self.mark}".encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue  # gone meanwhile, or another user's
        return found

    def has_begun(self) -> bool:
        """Whether something is finished: a shard, a state of training, a video of the sample."""
        return bool(self.left().whole)

    def left(self) -> Left:
        """What lies in the stage's work folder, which may be at work."""
        if self.stage == "render":  # which begins anew after a kill, since it places its folder as a whole
            made = _below(self.root / "data/raw/.sample.draft/sample/videos")
            return Left({path.name for path in made if path.suffix == ".mp4"}, set(), set())
        left = left_in(self.root / ".cache" / self.stage)
        return Left({"state.safetensors"} & left.others, set(), set()) if self.stage == "train" else left

    def check(self) -> None:
        """The outputs are those of an undisturbed run, and beside them nothing is left.

        Raises:
            AssertionError: something differs.
        """
        assert self.made() == self.undisturbed
        assert self._tree() == self.tree
        cache = self.root / ".cache"
        files = {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()}
        assert {name for name in files if not name.endswith(".lock")} == set()
        assert list(self.temporary.iterdir()) == []
        assert self.wait_for(lambda: not self.running())

    def _tree(self) -> set[str]:
        names = (str(path.relative_to(self.root)) for path in self.root.rglob("*"))
        return {name for name in names if not any(other in name for other in _NOT_OURS)}


def left_in(work: Path) -> Left:
    """The shards in a work folder: finished once its name says its digest, being made while its draft is there."""
    found = _below(work)
    names = {path.name for path in found if path.suffix and path.parent.suffix != ".draft"}
    drafts = [path.name for path in found if path.suffix == ".draft"]
    whole = {name for name in names if re.search(r"-[0-9a-f]{64}\.", name)}
    return Left(whole, {name[1:].removesuffix(".draft") for name in drafts}, names - whole)


def _outputs(stage: dict[str, Any]) -> list[str]:
    entries = [*stage.get("outs", []), *stage.get("metrics", [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def _below(folder: Path) -> list[Path]:
    """What lies below a folder, none of what goes away meanwhile."""
    return [Path(root, name) for root, folders, files in os.walk(folder) for name in (*folders, *files)]


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
