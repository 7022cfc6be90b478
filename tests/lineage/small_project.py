"""A DVC project of the pipeline's form, with three stages that take a moment, and an independent log of what ran.

draw -> fit -> score; each reads one parameter, and writes a function of that and of what it read. What ran is told by
the stages' own word, in a file outside the project, with digests that are computed there by other code.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from pipeline.lineage import lock, records
from tests.end_to_end.clones import environment

ROOT = Path(__file__).resolve().parents[2]
DVC_YAML = """\
stages:
  draw:
    cmd: python -m stages.draw
    params: [seed]
    deps: [stages/draw.py, data/external]
    outs: [data/drawn.txt]
  fit:
    cmd: python -m stages.fit
    params: [adjacency.threshold]
    deps: [stages/fit.py, data/drawn.txt]
    outs: [models/fitted]
  score:
    cmd: python -m stages.score
    params: [evaluate.combine, evaluate.batch]
    deps: [stages/score.py, models/fitted]
    outs: [data/predictions]
    metrics:
      - data/metrics.json: {cache: false}
"""
STAGES = {
    "__init__": '''
import hashlib, json, os, sys, time
from pathlib import Path
from pipeline.foundations.params import load_params
from pipeline.foundations.runtime.record import recorded
from pipeline.foundations.runtime.progress import say

def digest(*paths):
    """The SHA-256 of all that lies at some paths."""
    found = hashlib.sha256()
    for path in map(Path, paths):
        for file in sorted([path, *path.rglob("*")]):
            if file.is_file():
                found.update(f"{file}\\n".encode() + file.read_bytes())
    return found.hexdigest()

def run(name, value, reads, writes, work):
    params = load_params()
    with recorded(name, params):
        before = digest(f"stages/{name}.py", *reads)
        if os.environ.get("SMALL_HANG") == name:
            hung = Path(os.environ["SMALL_HUNG"])
            hung.touch()
            while hung.exists():
                time.sleep(0.05)
        if os.environ.get("SMALL_FAIL") == name:
            raise RuntimeError("as told")
        work(params)
        say(f"{name}: made with {value(params)}")
    line = {"stage": name, "where": os.getcwd(), "process": os.getpid(), "value": value(params), "read": before}
    line["wrote"] = digest(*writes)
    with open(os.environ["SMALL_LOG"], "a") as log:
        log.write(json.dumps(line) + "\\n")
''',
    "draw": """
from pathlib import Path
from stages import run

def work(params):
    given = Path("data/external/given.txt").read_text()
    Path("data/drawn.txt").write_text(f"{given}{params.seed}\\n")

if __name__ == "__main__":
    run("draw", lambda params: [params.seed], ["data/external"], ["data/drawn.txt"], work)
""",
    "fit": """
from pathlib import Path
from stages import run

def work(params):
    drawn = Path("data/drawn.txt").read_text()
    Path("models/fitted").mkdir(parents=True, exist_ok=True)
    Path("models/fitted/weights.txt").write_text(f"{drawn}{params.adjacency.threshold}\\n")

if __name__ == "__main__":
    run("fit", lambda params: [params.adjacency.threshold], ["data/drawn.txt"], ["models/fitted"], work)
""",
    "score": """
import hashlib, json
from pathlib import Path
from stages import run

def work(params):
    fitted = Path("models/fitted/weights.txt").read_text()
    text = f"{fitted}{params.evaluate.combine} {params.evaluate.batch}\\n"
    Path("data/predictions").mkdir(exist_ok=True)
    Path("data/predictions/scores.txt").write_text(text)
    value = int(hashlib.sha256(text.encode()).hexdigest()[:6], 16) % 10_000 / 100
    Path("data/metrics.json").write_text(json.dumps({"map_sample": value}))

if __name__ == "__main__":
    run("score", lambda params: [params.evaluate.combine, params.evaluate.batch], ["models/fitted"],
        ["data/predictions", "data/metrics.json"], work)
""",
}
OUTS = {"draw": ["data/drawn.txt"], "fit": ["models/fitted"], "score": ["data/predictions", "data/metrics.json"]}
READS = {"draw": ["data/external"], "fit": ["data/drawn.txt"], "score": ["models/fitted"]}


class Ran(NamedTuple):
    """A stage that really ran to its end, by its own word."""

    stage: str
    where: str
    """The folder that it ran in: a clone's, or a copy's below it."""
    process: int
    value: Any
    read: str
    wrote: str


class Small:
    """A clone of the small project."""

    def __init__(self, root: Path, log: Path, *, forks: bool = False) -> None:
        self.root, self.log, self.forks = root, log, forks

    def run(self, *command: str, check: bool = True, **more: str) -> str:
        """Run a command in it; returns what that printed."""
        log = self.root.with_name(f"{self.root.name}.out")  # no pipe: DVC's worker would keep it open
        env = self.environment(**more)
        with log.open("w") as file:
            if self.forks and command[0] == "dvc":
                status = _dvc(self.root, command[1:], env, file.fileno())
            else:
                status = subprocess.run(command, cwd=self.root, env=env, stdout=file, stderr=file).returncode
        said = log.read_text()
        assert status == 0 or not check, f"{command}: {said[-3000:]}"
        return said

    def environment(self, **more: str) -> dict[str, str]:
        """What its commands see: the library of this checkout, the log, and an author for git."""
        who = {f"GIT_{role}_{what}": "test" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return environment(PYTHONPATH=str(ROOT), SMALL_LOG=str(self.log), DVC_NO_ANALYTICS="1", **who, **more)

    def start(self, *command: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own."""
        out = subprocess.DEVNULL
        return subprocess.Popen(
            command, cwd=self.root, env=self.environment(**more), stdout=out, stderr=out, start_new_session=True
        )

    def set(self, **values: Any) -> None:
        """Change parameters, `section__key=value`."""
        yaml = YAML()
        content = yaml.load(self.root / "params.yaml")
        for name, value in values.items():
            section, _, key = name.partition("__")
            if key:
                content[section][key] = value
            else:
                content[section] = value
        yaml.dump(content, self.root / "params.yaml")

    def commit(self, message: str = "work") -> None:
        """Commit everything that git does not ignore."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message, "--allow-empty")

    def ran(self) -> list[Ran]:
        """All that really ran so far, in any clone, by time."""
        return [Ran(**json.loads(line)) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def made_here(self, stage: str) -> list[Ran]:
        """The runs that really made what lies here of a stage, by their own word and by time."""
        wrote = digest(self.root, *OUTS[stage])
        return [ran for ran in self.ran() if (ran.stage, ran.wrote) == (stage, wrote)]

    def is_there(self, stage: str) -> bool:
        """Whether all outputs of a stage lie here."""
        return all((self.root / out).exists() for out in OUTS[stage])

    def check(self, *, latest: bool = True) -> None:
        """What is said of each result that lies here is what really made it.

        Args:
            latest: whether, of the runs that made the same, the last must be named that ran here or in a copy below.

        Raises:
            AssertionError: it is not.
        """
        for name, said in records.current_results(self.root, lock.read_stages(self.root)).items():
            if self.is_there(name):
                truth = self.made_here(name)
                assert (said.record is None) == (not truth), (name, said.note, truth)
                if said.record is None:
                    assert records.ABSENT in said.note
                else:
                    made = [ran for ran in truth if ran.process == said.record["process"]]
                    assert made, (name, said.note, truth)
                    here = [ran for ran in truth if Path(ran.where).is_relative_to(self.root)]
                    assert made == here[-1:] or not latest or not here, (name, said.note, truth)
                    assert sorted(map(str, said.stage.params.values())) == sorted(map(str, made[0].value))

    def clone(self, name: str) -> "Small":
        """Another clone of it, with the same remotes and an empty cache."""
        target = self.root.with_name(name)
        self.run("git", "clone", "-q", str(self.root), str(target))
        return Small(target, self.log, forks=self.forks)


def _dvc(root: Path, arguments: Sequence[str], env: Mapping[str, str], output: int) -> int:
    """Run DVC in a fork of this process, which has loaded it once for all; returns its exit status."""
    from dvc.cli import main

    child = os.fork()
    if child == 0:
        status = 255
        try:
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(root)
            os.environ.clear()
            os.environ.update(env)
            sys.stdout = sys.stderr = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
            status = main(list(arguments))
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def digest(root: Path, *paths: str) -> str:
    """The SHA-256 of all that lies at some paths, as the stages compute it."""
    found = sha256()
    for path in paths:
        for file in sorted([root / path, *(root / path).rglob("*")]):
            if file.is_file():
                found.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return found.hexdigest()


def make(folder: Path) -> Small:
    """The project, committed, with a DVC remote beside it; nothing has run yet."""
    root = folder / "project"
    (root / "stages").mkdir(parents=True)
    (root / "data/external").mkdir(parents=True)
    (root / "data/external/given.txt").write_text("given\n")
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / ".gitignore").write_text(".cache/\n__pycache__/\n/models/\n")
    (root / "data/.gitignore").write_text("/drawn.txt\n/predictions\n")
    for name in ("params.yaml", ".gitattributes"):
        shutil.copy2(ROOT / name, root / name)
    for name, text in STAGES.items():
        (root / f"stages/{name}.py").write_text(text.lstrip())
    small = Small(root, folder / "log")
    small.run("git", "init", "-q", "-b", "main")
    small.run("dvc", "init", "-q")
    small.run("dvc", "remote", "add", "-q", "-d", "store", str(folder / "remote"))
    small.commit("the project")
    return small
