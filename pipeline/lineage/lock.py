"""dvc.lock as values: what each stage read, with which parameters, and what it wrote.

Digests are computed here, not by DVC, so that an auditor needs to trust one page of code: a file's digest is
the MD5 of its bytes; a folder's is the MD5 of the JSON list of its files' digests and relative paths, sorted,
with `.dir` at its end.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.foundations.runtime.errors import PlainError
from pipeline.report.dag import is_code

LOCKS = ("data/raw/dvc.lock", "dvc.lock")
PAGE = "README.md"
"""What a package's page is called; .dvcignore keeps those of pipeline/ out of folders' digests."""
"""The bundled sample's, where it was rendered, and the pipeline's."""
UNDECLARED = ("stages/__init__.py", "pipeline/foundations/runtime", "pipeline/foundations/params")
"""Code that every stage runs and none declares: it says how the work is done, never what comes of it."""


class Recorded(NamedTuple):
    """A file or folder as dvc.lock remembers it."""

    path: str
    md5: str


class Stage(NamedTuple):
    """One stage as it last ran."""

    name: str
    deps: tuple[Recorded, ...]
    outs: tuple[Recorded, ...]
    params: Mapping[str, Any]
    """Value by dotted key; a whole section counts as one value."""

    @property
    def code(self) -> tuple[Recorded, ...]:
        """The project's modules, and folders of them, among the dependencies."""
        return tuple(dep for dep in self.deps if is_code(dep.path))

    @property
    def inputs(self) -> tuple[Recorded, ...]:
        """Data among the dependencies."""
        return tuple(dep for dep in self.deps if not is_code(dep.path))


def read_stages(root: Path) -> dict[str, Stage]:
    """All stages that have run, in an order in which they can run.

    Raises:
        PlainError: no stage has run here, or a lock file is damaged.
    """
    stages: dict[str, Stage] = {}
    for name in LOCKS:
        if (root / name).exists():
            stages |= {key: _stage(key, value) for key, value in _load(root / name).get("stages", {}).items()}
    if not stages:
        raise PlainError(f"{root / 'dvc.lock'}: not there; run `dvc repro` first")
    return dict(_in_order(stages))


def _load(path: Path) -> dict[str, Any]:
    try:
        content = YAML(typ="safe").load(path)
    except (OSError, YAMLError) as error:
        raise PlainError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise PlainError(f"{path}: found {type(content).__name__}, expected DVC's mapping of stages")
    return content


def _stage(name: str, entry: Mapping[str, Any]) -> Stage:
    params: dict[str, Any] = {}
    for values in entry.get("params", {}).values():
        params |= values
    return Stage(
        name=name,
        deps=tuple(Recorded(dep["path"], dep["md5"]) for dep in entry.get("deps", ())),
        outs=tuple(Recorded(out["path"], out["md5"]) for out in entry.get("outs", ())),
        params=params,
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


def md5(path: Path) -> str:
    """A file's or folder's digest as DVC defines it.

    Raises:
        OSError: it is absent or cannot be read.
    """
    if path.is_dir():
        return _md5_of_listing({file.relative_to(path).as_posix(): md5(file) for file in files_below(path)})
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def files_below(folder: Path) -> list[Path]:
    """The files of a folder that count in its digest: as .dvcignore has it, no compiled code and no package's page."""
    files = {file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts}
    return sorted(file for file in files if file.name != PAGE or file.parent / "__init__.py" not in files)


def md5_of_files(path: str, files: Mapping[str, bytes]) -> str:
    """The digest of a file or folder of the project from the content of its files, by path."""
    if path in files:
        return md5_of(files[path])
    pages = {name for name in files if f"{name.removesuffix(PAGE)}__init__.py" in files and name.endswith(f"/{PAGE}")}
    counted = {name.removeprefix(f"{path}/"): md5_of(files[name]) for name in files.keys() - pages}
    return _md5_of_listing(counted)


def _md5_of_listing(digests: Mapping[str, str]) -> str:
    """A folder's digest from its files', by path below it."""
    listing = [{"md5": digests[name], "relpath": name} for name in sorted(digests)]
    return md5_of(json.dumps(listing, sort_keys=True).encode()) + ".dir"


def md5_of(content: bytes) -> str:
    """The MD5 of bytes; an identifier that DVC chose, not a proof against forgery."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
