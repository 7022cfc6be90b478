"""Read what dvc.yaml declares of a stage: dependencies, parameters with their values, outputs."""

import re
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

FILES = ("dvc.yaml", "data/raw/dvc.yaml", "data/frozen/dvc.yaml")
_REFERENCE = re.compile(r"\$\{([^}]*)\}")


class Declared(NamedTuple):
    """A stage as dvc.yaml declares it, with `${...}` filled in from params.yaml."""

    deps: tuple[str, ...]
    params: Mapping[str, Any]
    """Of params.yaml: value by dotted key, as in dvc.lock; a whole section counts as one value."""
    outs: tuple[str, ...]
    metrics: tuple[str, ...]
    """Those of the outputs that are metrics."""


def declared(root: Path, stage: str) -> Declared | None:
    """What the project at `root` declares of a stage; None where no dvc.yaml has it.

    Raises:
        OSError: a file cannot be read.
    """
    for name in FILES:
        if (root / name).exists():
            entry = YAML(typ="safe").load(root / name).get("stages", {}).get(stage)
            if entry is not None:
                return _declared(entry.get("do", entry), YAML(typ="safe").load(root / "params.yaml"))
    return None


def kept_by_git(root: Path) -> set[str]:
    """Outputs that git tracks instead of DVC (`cache: false`), which a run therefore shows as changed.

    Raises:
        OSError: a file cannot be read.
    """
    found = set()
    for name in FILES:
        if (root / name).exists():
            for entry in YAML(typ="safe").load(root / name).get("stages", {}).values():
                stage = entry.get("do", entry)
                for out in (*stage.get("outs", ()), *stage.get("metrics", ()), *stage.get("plots", ())):
                    if isinstance(out, Mapping):
                        found |= {path for path, options in out.items() if not options.get("cache", True)}
    return found


def _declared(entry: Mapping[str, Any], params: Mapping[str, Any]) -> Declared:
    metrics = _paths(entry.get("metrics", ()), params)
    outs = _paths((*entry.get("outs", ()), *entry.get("plots", ())), params)
    values = {key: _lookup(params, key) for key in entry.get("params", ()) if isinstance(key, str)}
    return Declared(_paths(entry.get("deps", ()), params), values, (*outs, *metrics), metrics)


def _paths(entries: Any, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Paths of a list in dvc.yaml, whose entries are paths or mappings from a path to its options."""
    paths = [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
    return tuple(_REFERENCE.sub(lambda found: str(_lookup(params, found[1])), path) for path in paths)


def _lookup(params: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key.

    Raises:
        KeyError: params.yaml has none.
    """
    return reduce(lambda inner, part: inner[part], key.split("."), params)
