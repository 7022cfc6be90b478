"""Read dvc.lock: what each stage read, with which parameters, and what it wrote."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.foundations.runtime.errors import PlainError
from pipeline.report.dag import is_code

SAMPLE, PIPELINE = "data/raw/dvc.lock", "dvc.lock"
"""The bundled sample's lock, which comes with the project, and the pipeline's."""
TABLES = "tables.yaml"
"""The columns of all tables; a stage names those that it writes beside its parameters."""
UNDECLARED = ("stages/__init__.py", "pipeline/foundations/runtime", "pipeline/foundations/params")
"""Code that every stage runs and none declares, since it does not change results."""


class Recorded(NamedTuple):
    """A file or folder with its digest in dvc.lock."""

    path: str
    md5: str


class Stage(NamedTuple):
    """One stage as it last ran."""

    name: str
    deps: tuple[Recorded, ...]
    outs: tuple[Recorded, ...]
    params: Mapping[str, Any]
    """Of params.yaml: value by dotted key; a whole section counts as one value."""
    tables: Mapping[str, Any] = MappingProxyType({})
    """The columns of the tables that it wrote, as they were."""

    @property
    def code(self) -> tuple[Recorded, ...]:
        """The project's modules, and folders of them, among the dependencies."""
        return tuple(dep for dep in self.deps if is_code(dep.path))

    @property
    def inputs(self) -> tuple[Recorded, ...]:
        """Data among the dependencies."""
        return tuple(dep for dep in self.deps if not is_code(dep.path))


def read_stages(root: Path) -> dict[str, Stage]:
    """All stages that have run, in an order in which they can run; the sample's where the pipeline reads the sample.

    Raises:
        PlainError: no stage has run here, or a lock file is damaged.
    """
    stages, rendered = _read(root / PIPELINE), _read(root / SAMPLE)
    if stages:
        rendered = {name: stage for name, stage in rendered.items() if _is_read(stage, stages)}
    stages = rendered | stages
    if not stages:
        raise PlainError(f"{root / PIPELINE}: not there; run `dvc repro` first")
    return dict(_in_order(stages))


def _is_read(source: Stage, stages: Mapping[str, Stage]) -> bool:
    """Whether one of `stages` reads what `source` wrote."""
    return any(feeds(source, stage) for stage in stages.values())


def _read(path: Path) -> dict[str, Stage]:
    """The stages of a lock file, where it is there."""
    entries = _load(path).get("stages", {}) if path.exists() else {}
    return {name: _stage(name, entry) for name, entry in entries.items()}


def _load(path: Path) -> dict[str, Any]:
    try:
        content = YAML(typ="safe").load(path)
    except (OSError, YAMLError) as error:
        raise PlainError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise PlainError(
            f"{path} is not a lock file of DVC: it holds {type(content).__name__}, not a mapping of stages"
        )
    return content


def _stage(name: str, entry: Mapping[str, Any]) -> Stage:
    params: dict[str, Any] = {}
    for file, values in entry.get("params", {}).items():
        params |= {} if file == TABLES else values
    return Stage(
        name=name,
        deps=tuple(Recorded(dep["path"], dep["md5"]) for dep in entry.get("deps", ())),
        outs=tuple(Recorded(out["path"], out["md5"]) for out in entry.get("outs", ())),
        params=params,
        tables=entry.get("params", {}).get(TABLES, {}),
    )


def _in_order(stages: Mapping[str, Stage]) -> Iterator[tuple[str, Stage]]:
    """Stages such that each comes after those whose outputs it reads; ties by name of the lock's order."""
    done: set[str] = set()
    waiting = dict(stages)
    while waiting:
        ready = [name for name in waiting if producers(stages, name) <= done] or list(waiting)
        for name in ready:
            done.add(name)
            yield name, waiting.pop(name)


def holds(folder: str, path: str) -> bool:
    """Whether `path` is `folder` or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def feeds(source: Stage, target: Stage) -> list[str]:
    """What `target` reads of what `source` wrote."""
    return [
        dep.path
        for dep in target.inputs
        if any(holds(out.path, dep.path) or holds(dep.path, out.path) for out in source.outs)
    ]


def producers(stages: Mapping[str, Stage], name: str) -> set[str]:
    """The stages whose outputs stage `name` reads."""
    return {other for other, stage in stages.items() if other != name and feeds(stage, stages[name])}


def consumers(stages: Mapping[str, Stage], name: str) -> set[str]:
    """The stages that read what stage `name` wrote."""
    return {other for other, stage in stages.items() if other != name and feeds(stages[name], stage)}


def reach(stages: Mapping[str, Stage], name: str, *, down: bool) -> list[str]:
    """All stages below (`down`) or above stage `name`, in running order."""
    step = consumers if down else producers
    seen: set[str] = set()
    frontier = {name}
    while frontier:
        frontier = {other for current in frontier for other in step(stages, current)} - seen
        seen |= frontier
    return [other for other in stages if other in seen]
