"""`m3a trace WHAT`: everything that went into a number, a file or a stage, and everything it went into."""

import difflib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.record_store import Record
from pipeline.lineage import lock, records, trace_rows
from pipeline.lineage.kinds import kind_of
from pipeline.lineage.lock import Stage
from pipeline.lineage.records import CurrentResult
from pipeline.lineage.tree import Node

METRICS = "data/metrics.json"
VIDEOS = "data/index/videos.parquet"
WEIGHTS = "models/pretrained/weights.json"


class _Found(NamedTuple):
    """What a trace is about, where it is a file of the pipeline."""

    node: Node
    path: str


def trace(root: Path, what: str) -> Node:
    """The lineage of a metric, a file, a stage, a video id or an action, as a tree.

    Raises:
        PlainError: nothing of that name is known, or nothing has run here yet.
    """
    current = records.current_results(root, lock.read_stages(root))
    stages = {name: result.stage for name, result in current.items()}
    if what in stages:
        return Node(what, "a stage", (*_upward(root, current, what, set()), _downward(stages, [what])))
    if found := _file(root, stages, what) or _metric(root, what):
        return _trace_file(root, current, found)
    if rows := trace_rows.video(root, stages, what) or trace_rows.action(root, what):
        return rows
    if not (root / VIDEOS).exists():
        raise PlainError(
            f"{what}: not a metric, a stage or a file in git, and there are no results yet: run `make repro`"
        )
    if near := _nearest(root, stages, what):
        raise PlainError(f"{what}: not known here; did you mean {' or '.join(near)}?")
    raise PlainError(
        f"{what}: not known here; expected a metric of {METRICS}, a file that dvc.lock names, a stage "
        f"({', '.join(stages)}), a video id or an action"
    )


def _nearest(root: Path, stages: Mapping[str, Stage], what: str) -> list[str]:
    """The most similar names of stages, files, metrics and actions; else of videos."""
    files = {entry.path for stage in stages.values() for entry in (*stage.outs, *stage.deps)}
    metrics = json.loads((root / METRICS).read_text(encoding="utf-8")) if (root / METRICS).exists() else {}
    near = difflib.get_close_matches(what, [*stages, *sorted(files), *metrics, *trace_rows.action_names(root)])
    return near or difflib.get_close_matches(what, trace_rows.similar_video_ids(root, what))


def chain(root: Path, what: str) -> list[Node]:
    """The upstream stages of a metric, a file or a stage, the last one first, each summed up in a line.

    Empty for what comes from no stage.
    """
    return [_link(root, result) for result in upstream_results(root, what)]


def upstream_results(root: Path, what: str) -> list[CurrentResult]:
    """The results of the upstream stages of a metric, a file or a stage, the last one first."""
    current = records.current_results(root, lock.read_stages(root))
    stages = {name: result.stage for name, result in current.items()}
    found = _file(root, stages, what) or _metric(root, what)
    last = [what] if what in stages else _makers(stages, found.path) if found else []
    above = {other for name in last for other in [name, *lock.reach(stages, name, down=False)]}
    return [current[name] for name in reversed(stages) if name in above]


def _link(root: Path, result: CurrentResult) -> Node:
    """A stage in the chain."""
    stage, record = result.stage, result.record
    outs = ", ".join(f"{kind_of(root, out.path)} ({out.path})" for out in stage.outs)
    params = ", ".join(f"{key} = {json.dumps(value)}" for key, value in stage.params.items())
    code = ", ".join(dep.path for dep in stage.code)
    read = ", ".join(f"{kind_of(root, dep.path)} ({dep.path})" for dep in stage.inputs)
    lines = (Node("from", read), Node("parameters", params), Node("code", code), *_ran(result.note, record))
    return Node(stage.name, outs, tuple(line for line in lines if line.detail))


def _ran(note: str, record: Record | None) -> Iterator[Node]:
    """When, where and at which revision a stage of the chain ran, with its warning."""
    if note:
        yield Node("note" if record else "made", note)
    if record:
        when, host = record["started"][:19].replace("T", " "), record["host"]
        yield Node("made", f"{when} UTC in {record['seconds']:.1f} s, run {record['session']}")
        yield Node("machine", f"{host['name']}, {host['cpu']}, {record['device']}")
        yield Node("revision", record["git"]["revision"][:12])


def _makers(stages: Mapping[str, Stage], path: str) -> list[str]:
    """The stages that wrote a file, or a folder that contains it."""
    return [name for name, stage in stages.items() if any(lock.holds(out.path, path) for out in stage.outs)]


def _file(root: Path, stages: Mapping[str, Stage], what: str) -> _Found | None:
    path = what.removeprefix("./").rstrip("/")
    known = [entry for stage in stages.values() for entry in (*stage.outs, *stage.deps)]
    if not any(lock.holds(entry.path, path) for entry in known):
        return None
    return _Found(Node(path, kind_of(root, path), _figures(root, path)), path)


def _figures(root: Path, path: str) -> tuple[Node, ...]:
    """The values of metrics.json, where the trace is about that file."""
    if path != METRICS or not (root / path).exists():
        return ()
    content: dict[str, Any] = json.loads((root / path).read_text(encoding="utf-8"))
    return (Node("holds", "", tuple(Node(name, json.dumps(value)) for name, value in content.items())),)


def _metric(root: Path, what: str) -> _Found | None:
    """A number of metrics.json, by its dotted name."""
    path = root / METRICS
    if not path.exists():
        return None
    value: Any = json.loads(path.read_text(encoding="utf-8"))
    for part in what.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return None if value is None else _Found(Node(what, f"a metric: {json.dumps(value)}", ()), METRICS)


def _trace_file(root: Path, current: Mapping[str, CurrentResult], found: _Found) -> Node:
    stages = {name: result.stage for name, result in current.items()}
    makers = _makers(stages, found.path)
    readers = [
        stage.name
        for stage in stages.values()
        if any(lock.holds(dep.path, found.path) or lock.holds(found.path, dep.path) for dep in stage.deps)
    ]
    seen: set[str] = set()
    made = [Node("made by", name, _upward(root, current, name, seen)) for name in makers]
    origin = made or [Node("made by", "no stage: it comes from outside or from git", ())]
    return found.node._replace(children=(*found.node.children, *origin, _downward(stages, readers)))


def _upward(root: Path, current: Mapping[str, CurrentResult], name: str, seen: set[str]) -> tuple[Node, ...]:
    """How a stage ran, and its inputs, each with the stage that made it; no stage is shown twice."""
    if name in seen:
        return (Node("shown above", "", ()),)
    seen.add(name)
    stage = current[name].stage
    params = Node("parameters", "", tuple(Node(key, json.dumps(value), ()) for key, value in stage.params.items()))
    code = Node(
        "code", f"{len(stage.code)} files and folders", tuple(Node(dep.path, dep.md5, ()) for dep in stage.code)
    )
    inputs = []
    for dep in stage.inputs:
        makers = [key for key, other in current.items() if any(_touch(out.path, dep.path) for out in other.stage.outs)]
        made = tuple(Node("made by", maker, _upward(root, current, maker, seen)) for maker in makers)
        inputs.append(Node(dep.path, f"{kind_of(root, dep.path)}, {dep.md5}", made))
    return (*_run(current[name]), *_weights(root, stage), params, code, Node("inputs", "", tuple(inputs)))


def _weights(root: Path, stage: Stage) -> tuple[Node, ...]:
    """The weights that a stage fetched, each with its source and digest."""
    if not any(lock.holds(out.path, WEIGHTS) for out in stage.outs) or not (root / WEIGHTS).exists():
        return ()
    entries = json.loads((root / WEIGHTS).read_text(encoding="utf-8")).values()
    lines = [
        Node(entry["file"], f"from {entry['source']}, {'trained' if entry['trained'] else 'UNTRAINED'}", (
            Node("sha256", entry["sha256"], ()),
        ))
        for entry in entries
    ]  # fmt: skip
    return (Node("weights", "", tuple(lines)),)


def _touch(a: str, b: str) -> bool:
    return lock.holds(a, b) or lock.holds(b, a)


def _run(result: CurrentResult) -> tuple[Node, ...]:
    """The run that made a stage's result, with its warning."""
    notes = (Node("note", result.note, ()),) if result.note and result.record else ()
    if result.record is None:
        return (Node("run", result.note, ()),)
    return (*notes, Node("run", *run_lines(result.record)))


def run_lines(record: Record) -> tuple[str, tuple[Node, ...]]:
    """A run in a line, and its details."""
    git, host = record["git"], record["host"]
    changed = (Node("not committed", ", ".join(git["changed"]), ()),) if git["changed"] else ()
    experiment = (Node("experiment", record["experiment"], ()),) if record.get("experiment") else ()
    incidents = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in record["incidents"].items())
    cpu, io = record["cpu_seconds"], record["io_mb"]
    gpus = [f"{gpu['name']}, {gpu['peak_memory_mb']:,.0f} of {gpu['memory_mb']:,.0f} MB" for gpu in record["gpus"]]
    return f"{record['session']}, {record['started']}, {record['seconds']:.1f} s, {record['outcome']}", (
        Node("git revision", git["revision"][:12], changed),
        *experiment,
        Node("machine", f"{host['name']}, {host['cpu']}, {record['device']}", ()),
        *(Node("GPU", gpu, ()) for gpu in gpus),
        Node("versions", ", ".join(f"{package} {version}" for package, version in record["versions"].items()), ()),
        Node("processor time", f"{cpu['self']:.1f} s, its children {cpu['children']:.1f} s", ()),
        Node("read and written", f"{io['read']:,.1f} MB, {io['written']:,.1f} MB", ()),
        Node("peak memory", _memory(record["peak_memory_mb"]), ()),
        *((Node("incidents", incidents, ()),) if incidents else ()),
    )


def _memory(peaks: Mapping[str, float]) -> str:
    child = f", its largest child {peaks['largest_child']:.0f} MB" if "largest_child" in peaks else ""
    together = f", all processes together {peaks['together']:,.0f} MB" if "together" in peaks else ""
    return f"{peaks['self']:.0f} MB{child}{together}"


def _downward(stages: Mapping[str, Stage], readers: list[str]) -> Node:
    """The stages that read it, and all that follow from them."""
    below = {other for name in readers for other in [name, *lock.reach(stages, name, down=True)]}
    lines = [
        Node(name, "reads it" if name in readers else "follows", tuple(Node(out.path, "", ()) for out in stage.outs))
        for name, stage in stages.items()
        if name in below
    ]
    return Node("went into", "" if lines else "no further stage", tuple(lines))
