"""Private clones of the project, with a sample small enough to run every stage in about a minute."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from pipeline.foundations.params.editing import edited, flat
from tests.end_to_end.watch import Watch, Watched

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


class PipelineRun(NamedTuple):
    """A clone after `dvc repro`."""

    root: Path
    stages: dict[str, dict[str, Any]]
    watched: dict[str, Watched]


class VariantRun(NamedTuple):
    """A run of one stage with other parameters, what it says in the end, and its exit status."""

    stage: str
    changes: dict[str, Any]
    says: str
    status: int = 0


def run_pipeline(root: Path, folder: Path) -> PipelineRun:
    """Run the whole pipeline in a clone, under watch."""
    with Watch(root, folder) as watch:
        run = watch.run("dvc", "repro", env=environment())
    assert run.returncode == 0, (run.stdout + run.stderr)[-4000:]
    stages = declared_stages(root)
    return PipelineRun(root, stages, {name: watch.of(name) for name in stages})


def run_variants(
    pipeline_run: PipelineRun, target: Path, folder: Path, runs: Sequence[VariantRun]
) -> dict[str, Watched]:
    """Run single stages again with other parameters, under watch, in a copy at `target` of a clone that has run."""
    clone(target)
    for name in ("data", "models"):
        shutil.copytree(pipeline_run.root / name, target / name, copy_function=_link, dirs_exist_ok=True)
    text = (target / "params.yaml").read_text()
    with Watch(target, folder) as watch:
        for stage, changes, says, status in runs:
            change_params(target, changes)
            run = watch.run("python", "-m", f"stages.{stage}", env=environment(DVC_STAGE=stage))
            assert (says in run.stderr, run.returncode) == (True, status), (run.stdout + run.stderr)[-4000:]
            (target / "params.yaml").write_text(text)
    return {name: watch.of(name) for name in {*pipeline_run.stages, *(run.stage for run in runs)}}


def copy_run(pipeline_run: PipelineRun, target: Path) -> Path:
    """Copy a clone that has run, with its repository and DVC's cache, so that DVC finds nothing to run again there."""
    linked, left_out = {"models", ".dvc/cache"}, {".cache", ".dvc/tmp"}

    def ignored(folder: str, names: list[str]) -> set[str]:
        paths = {name: (Path(folder) / name).relative_to(pipeline_run.root).as_posix() for name in names}
        return {name for name, path in paths.items() if path in linked | left_out}

    shutil.copytree(pipeline_run.root, target, ignore=ignored, symlinks=True)
    for name in linked:
        shutil.copytree(pipeline_run.root / name, target / name, copy_function=_link)
    return target


def _link(source: str, target: str) -> None:
    """Stages replace what they write and never edit it, so that a copy can share its files."""
    if not Path(target).exists():
        os.link(source, target)


def clone(target: Path) -> Path:
    """Copy the project's own files (tracked, or new and not ignored) and make them a repository."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    for name in names:
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    (target / "dvc.lock").unlink(missing_ok=True)
    shutil.rmtree(target / "data/runs", ignore_errors=True)  # records of the results that dvc.lock names
    change_params(target, SMALL)
    for command in (
        ["git", "init", "-q"],
        ["git", "add", "-A"],
        ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-qm", "clone"],
    ):
        subprocess.run(command, cwd=target, check=True)
    return target


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys of params.yaml by their section; a key of no section stays."""
    sections: dict[str, Any] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        if name:
            sections.setdefault(section, {})[name] = value
        else:
            sections[section] = value
    return sections


def change_params(root: Path, changes: dict[str, Any]) -> None:
    """Change some values of a clone's params.yaml, keeping the rest and the comments."""
    path = root / "params.yaml"
    path.write_text(edited(path.read_text(), flat(changes)))


def environment(**more: str) -> dict[str, str]:
    """The environment of a child: this interpreter's programs first, nothing of an outer DVC run."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    return env | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}", "CI": "true"} | more


def declared_stages(root: Path) -> dict[str, dict[str, Any]]:
    """All stages in the order in which they can run, `render` first, with ${...} filled in."""
    return _stages(root, "data/raw/dvc.yaml") | _stages(root, "dvc.yaml")


def frozen_stages(root: Path) -> dict[str, dict[str, Any]]:
    """Likewise those of `m3a ablate --mode frozen`, as they are where params.yaml beside them lists a run."""
    return {name: entry["do"] for name, entry in _stages(root, "data/frozen/dvc.yaml").items()}


def _stages(root: Path, name: str) -> dict[str, dict[str, Any]]:
    yaml = YAML(typ="safe")
    beside = (root / name).parent / "params.yaml"  # DVC reads it too
    values = {}
    for path in dict.fromkeys((root / "params.yaml", beside)):
        for key, content in (yaml.load(path) if path.exists() else {}).items():
            nested = {f"{key}.{inner}": value for inner, value in content.items()} if isinstance(content, dict) else {}
            values |= {f"${{{full}}}": str(value) for full, value in (nested or {key: content}).items()}
    text = re.sub(r"\$\{[^}]*\}", lambda found: values[found[0]], (root / name).read_text())
    return yaml.load(text)["stages"]
