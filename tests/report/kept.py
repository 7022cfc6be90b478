"""The small run kept by git and DVC in two states, as a person's project keeps an experiment."""

import shutil
import subprocess
from pathlib import Path

from ruamel.yaml import YAML

from pipeline.foundations.tables import tables
from pipeline.report.run_tables import CURVES, TABLES
from tests.end_to_end.clones import ROOT, environment
from tests.report.miniature import ACTIONS

OUTPUTS = ("data/predictions", CURVES, "data/index", "models/m3a")
LATER = {"train/loss": [0.6, 0.3, 0.2], "train/learning_rate": [0.1, 0.1, 0.01], "val/loss": [0.6, 0.5, 0.4],
         "val/map_sample": [25, 35, 45], "val/map_action": [15, 25, 35]}  # fmt: skip
"""The curves of the later state."""


def keep(run: Path, root: Path) -> None:
    """Copy a run to `root` and keep it under the tag `before`; then change its predictions, curves and settings."""
    from dvc.repo import Repo

    shutil.copytree(run, root, ignore=shutil.ignore_patterns("dvc.yaml"))
    (root / "models/m3a/model.safetensors").write_bytes(b"weights")
    yaml = YAML()
    yaml.dump({"plots": yaml.load(ROOT / "dvc.yaml")["plots"]}, root / "dvc.yaml")
    write_curves(root, {name: [value / 2 for value in values] for name, values in LATER.items()})
    git(root, "init", "-q")
    with Repo.init(str(root)) as repo:
        repo.add([str(root / output) for output in OUTPUTS])
        git(root, "add", "-A", ".")
        git(root, "commit", "-qm", "before")
        git(root, "tag", "before")
        _change(root)
        repo.add([str(root / output) for output in OUTPUTS])


def write_curves(root: Path, curves: dict[str, list[float]]) -> None:
    """Learning curves as DVCLive writes them."""
    for name, values in curves.items():
        path = root / CURVES / "plots/metrics" / f"{name}.tsv"
        path.unlink(missing_ok=True)  # DVC may have linked it to its cache
        lines = [f"{step}\t{value}" for step, value in enumerate(values, start=1)]
        path.write_text("\n".join([f"step\t{name.rpartition('/')[2]}", *lines]) + "\n")


def git(root: Path, *command: str) -> None:
    """Run git as somebody."""
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *who, *command], cwd=root, check=True, capture_output=True, env=environment())


def _change(root: Path) -> None:
    path = root / TABLES["predictions"][1]
    rows = [row | {"scores": [0.5] * len(ACTIONS)} for row in tables.read("predictions", path).to_pylist()]
    tables.write("predictions", path, tables.from_rows("predictions", [tuple(row.values()) for row in rows]))
    write_curves(root, LATER)
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("epochs: 24", "epochs: 25"))
