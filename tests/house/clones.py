"""Private clones of the project, with a sample small enough to run every stage in about a minute."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
SMALL = {
    "render": {"train": 72, "validation": 16, "test": 16},
    "split_mini": {"per_action": 4},
    "filter_silent": {"max_failure_rate": 0.1, "shard_size": 16},
    "vggish": {"max_failure_rate": 0.1},
    "clips": {"max_failure_rate": 0.1, "shard_size": 16},
    "train": {"epochs": 2, "milestones": [1], "precise_bn_batches": 2, "validate_every": 1},
    "evaluate": {"temporal_views": 2, "max_failure_rate": 0.2, "bootstrap": 50, "shard_size": 8},
}


class Watched(NamedTuple):
    """What one stage did while it ran."""

    modules: set[str]
    params: set[str]


class House(NamedTuple):
    """A clone after `dvc repro`."""

    root: Path
    stages: dict[str, dict[str, Any]]
    watched: dict[str, Watched]


def run_house(root: Path, record: Path) -> House:
    """Run the whole pipeline in a clone, under the recorder of tests/recorder."""
    record.mkdir()
    watch = environment(M3A_RECORD=str(record), PYTHONPATH=str(ROOT / "tests" / "recorder"))
    run = subprocess.run(["dvc", "repro"], cwd=root, capture_output=True, text=True, env=watch)
    assert run.returncode == 0, (run.stdout + run.stderr)[-4000:]
    stages = declared_stages(root)
    return House(root, stages, {name: _watched(record, name) for name in stages})


def _watched(record: Path, stage: str) -> Watched:
    lines = [line for file in record.glob(f"{stage}.*") for line in file.read_text().splitlines()]
    facts = [line.split(" ", 1) for line in lines]
    return Watched(
        modules={fact for kind, fact in facts if kind == "module"},
        params={fact for kind, fact in facts if kind == "param"},
    )


def clone(target: Path) -> Path:
    """Copy the project's own files (tracked, or new and not ignored) and make them a repository."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    for name in names:
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    (target / "dvc.lock").unlink(missing_ok=True)
    change_params(target, SMALL)
    for command in (
        ["git", "init", "-q"],
        ["git", "add", "-A"],
        ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-qm", "clone"],
    ):
        subprocess.run(command, cwd=target, check=True)
    return target


def change_params(root: Path, changes: dict[str, dict[str, Any]]) -> None:
    """Change some values of a clone's params.yaml, keeping the rest and the comments."""
    yaml = YAML()
    content = yaml.load(root / "params.yaml")
    for section, values in changes.items():
        content[section].update(values)
    yaml.dump(content, root / "params.yaml")


def environment(**more: str) -> dict[str, str]:
    """The environment of a child: this interpreter's programs first, nothing of an outer DVC run."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    return env | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}", "CI": "true"} | more


def declared_stages(root: Path) -> dict[str, dict[str, Any]]:
    """All stages in the order in which they can run, `render` first, with ${...} filled in."""
    yaml = YAML(typ="safe")
    params = yaml.load(root / "params.yaml")
    text = (root / "dvc.yaml").read_text()
    for key in ("folder", "watch"):
        text = text.replace(f"${{dataset.{key}}}", params["dataset"][key])
    return yaml.load(root / "data/raw/dvc.yaml")["stages"] | yaml.load(text)["stages"]
