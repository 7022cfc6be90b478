"""The graph of stages in dvc.yaml."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import networkx as nx
from ruamel.yaml import YAML


class Stage(NamedTuple):
    """A stage of dvc.yaml."""

    name: str
    desc: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: tuple[str, ...] = ()
    """Of params.yaml."""


def read_stages(paths: Sequence[Path], *, values: Mapping[str, str]) -> list[Stage]:
    """The stages of some dvc.yaml files, in order; `${key}` is filled in from `values`."""
    stages = []
    for path in paths:
        content: dict[str, Any] = YAML(typ="safe", pure=True).load(path)["stages"]
        for name, stage in content.items():
            outs = [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]
            deps = _paths(stage["deps"], values)
            params = tuple(key for key in stage.get("params", []) if isinstance(key, str))
            stages.append(Stage(name, stage["desc"], deps, _paths(outs, values), params))
    return stages


def _paths(entries: Sequence[str | dict[str, Any]], values: Mapping[str, str]) -> tuple[str, ...]:
    """The paths of a list in dvc.yaml, whose entries are paths or mappings from a path to its options."""
    paths = [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
    for key, value in values.items():
        paths = [path.replace(f"${{{key}}}", value) for path in paths]
    return tuple(paths)


def is_code(path: str) -> bool:
    """Whether a dependency is a file or folder of the project's code."""
    return path.endswith(".py") or path.split("/", maxsplit=1)[0] == "pipeline"


def graph(stages: Sequence[Stage]) -> nx.DiGraph:
    """Which stage feeds which: an arrow wherever one's output is, holds or lies below another's input."""
    arrows: nx.DiGraph = nx.DiGraph()
    arrows.add_nodes_from(stage.name for stage in stages)
    for source in stages:
        for target in stages:
            if source is not target and any(meet(out, dep) for out in source.outs for dep in target.deps):
                arrows.add_edge(source.name, target.name)
    return arrows


def meet(out: str, dep: str) -> bool:
    """Whether an output is, holds or lies below what a stage reads."""
    return out == dep or dep.startswith(out + "/") or out.startswith(dep + "/")


def connected(stages: Sequence[Stage]) -> list[Stage]:
    """The stages that feed another or are fed by one; the sample's is neither where other data are read."""
    arrows = graph(stages)
    return [stage for stage in stages if arrows.degree(stage.name)]
