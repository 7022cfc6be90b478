"""A DVC project of the pipeline's form, with three stages that take a moment, and an independent log of what ran.

draw -> fit -> score; each reads one parameter, and writes a function of that and of what it read. What ran is told by
the stages' own word, in a file outside the project, with digests that are computed there by other code.
"""

import json
import shutil
import subprocess
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
    line = {"stage": name, "process": os.getpid(), "value": value(params), "read": before, "wrote": digest(*writes)}
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
    process: int
    value: Any
    read: str
    wrote: str


class Small:
    """A clone of the small project."""

    def __init__(self, root: Path, log: Path) -> None:
        self.root, self.log = root, log

    def run(self, *command: str, check: bool = True, **more: str) -> str:
        """Run a command in it; returns what that printed."""
        log = self.root.with_name(f"{self.root.name}.out")  # no pipe: DVC's worker would keep it open
        with log.open("w") as file:
            done = subprocess.run(command, cwd=self.root, env=self.environment(**more), stdout=file, stderr=file)
        said = log.read_text()
        assert done.returncode == 0 or not check, f"{command}: {said[-3000:]}"
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

    def made_here(self, stage: str) -> Ran | None:
        """The latest run that really made what lies here of a stage, by its own word; None where none did."""
        wrote = digest(self.root, *OUTS[stage])
        return next((ran for ran in reversed(self.ran()) if (ran.stage, ran.wrote) == (stage, wrote)), None)

    def is_there(self, stage: str) -> bool:
        """Whether all outputs of a stage lie here."""
        return all((self.root / out).exists() for out in OUTS[stage])

    def check(self) -> None:
        """What is said of each result that lies here is what really made it.

        Raises:
            AssertionError: it is not.
        """
        for name, stage in lock.read_stages(self.root).items():
            if self.is_there(name):
                said, truth = records.lying(self.root, stage), self.made_here(name)
                assert (said.record is None) == (truth is None), (name, said.note, truth)
                if said.record is not None and truth is not None:
                    assert said.record["process"] == truth.process, (name, said.note, truth)
                    values = list(said.stage.params.values())
                    assert sorted(map(str, values)) == sorted(map(str, truth.value))
                else:
                    assert records.ABSENT in said.note

    def clone(self, name: str) -> "Small":
        """Another clone of it, with the same remotes and an empty cache."""
        target = self.root.with_name(name)
        self.run("git", "clone", "-q", str(self.root), str(target))
        return Small(target, self.log)


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
