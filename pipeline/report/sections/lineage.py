"""Where each number comes from: its upstream stages with their parameters, code and inputs."""

import json
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

from pipeline.report.dag import Stage, graph, is_code, meet
from pipeline.report.run_tables import RunTables
from pipeline.report.sources import anchor
from pipeline.report.stage_counts import Entry

MEASURES = "evaluate"
"""The stage that makes the metrics."""
WEIGHTS = "fetch_weights"


class Output(NamedTuple):
    """What a stage wrote."""

    stage: str
    path: str
    anchor: str
    """Its id on the page."""


class Read(NamedTuple):
    """What a stage read, and the outputs of others that are in it; none where it comes from outside or from git."""

    path: str
    made: tuple[Output, ...]


class Step(NamedTuple):
    """One stage of the run."""

    name: str
    desc: str
    outputs: tuple[Output, ...]
    kept: str
    parameters: tuple[tuple[str, str], ...]
    read: tuple[Read, ...]
    code: tuple[str, ...]
    weights: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """File by file what is known of fetched weights; of the stage that fetched them alone."""


class Branch(NamedTuple):
    """A stage and its upstream stages; none is shown twice."""

    step: Step
    again: bool
    below: tuple["Branch", ...]


class Lineage(NamedTuple):
    """What the section shows."""

    tree: Branch
    steps: tuple[Step, ...]


def lineage(
    run_tables: RunTables, stages: Sequence[Stage], entries: Mapping[str, Entry], values: Mapping[str, Any]
) -> Lineage:
    """The stages of a run in the order of dvc.yaml, and the tree of those behind the metrics.

    Args:
        run_tables: for what is known of the weights.
        stages: of dvc.yaml.
        entries: what each of them kept.
        values: the parameters, by section.
    """
    steps = {stage.name: _step(stage, stages, entries, values, run_tables.weights) for stage in stages}
    arrows = graph(stages)
    order = [stage.name for stage in stages]
    above = {name: sorted(arrows.predecessors(name), key=order.index) for name in order}
    return Lineage(_branch(MEASURES, steps, above, set()), tuple(steps.values()))


def _branch(name: str, steps: Mapping[str, Step], above: Mapping[str, Sequence[str]], seen: set[str]) -> Branch:
    if name in seen:
        return Branch(steps[name], again=True, below=())
    seen.add(name)
    return Branch(steps[name], again=False, below=tuple(_branch(other, steps, above, seen) for other in above[name]))


def _step(
    stage: Stage,
    stages: Sequence[Stage],
    entries: Mapping[str, Entry],
    values: Mapping[str, Any],
    weights: Mapping[str, Mapping[str, Any]],
) -> Step:
    others = [other for other in stages if other.name != stage.name]
    written = [out for other in others for out in _outputs(other)]
    data = [dep for dep in stage.deps if not is_code(dep)]
    return Step(
        name=stage.name,
        desc=stage.desc,
        outputs=_outputs(stage),
        kept=entries[stage.name].kept if stage.name in entries else "",
        parameters=tuple((key, _value(values, key)) for key in stage.params),
        read=tuple(Read(dep, tuple(out for out in written if meet(out.path, dep))) for dep in data),
        code=tuple(dep for dep in stage.deps if is_code(dep)),
        weights=tuple(_weight(weight) for _, weight in sorted(weights.items())) if stage.name == WEIGHTS else (),
    )


def _outputs(stage: Stage) -> tuple[Output, ...]:
    return tuple(Output(stage.name, path, anchor(path)) for path in stage.outs)


def _value(values: Mapping[str, Any], key: str) -> str:
    """The value at a dotted key, as JSON."""
    return json.dumps(reduce(lambda inner, part: inner[part], key.split("."), values), ensure_ascii=False)


def _weight(weight: Mapping[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    facts = (
        ("trained", "yes" if weight["trained"] else "no"),
        ("from", weight["source"]),
        ("SHA-256", weight["sha256"]),
    )
    return weight["file"], facts
