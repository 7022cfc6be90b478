"""`m3a runs`: list, show and compare recorded runs."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from pipeline.foundations.runtime import record_store
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.record_store import Record
from pipeline.lineage import lock, records
from pipeline.report.dag import is_code

LAST = "last"


class Run(NamedTuple):
    """One `dvc repro` or experiment: the runs of its stages, by time."""

    name: str
    records: tuple[Record, ...]

    @property
    def started(self) -> str:
        """When its first stage began."""
        return str(self.records[0]["started"])

    @property
    def seconds(self) -> float:
        """Sum over its stages."""
        return float(sum(record.get("seconds", 0.0) for record in self.records))

    @property
    def experiment(self) -> str | None:
        """Its name in DVC, where it was an experiment."""
        name: str | None = self.records[0].get("experiment")
        return name

    @property
    def outcome(self) -> str:
        """`finished`, or how the last stage that did not finish ended."""
        others = [str(record["outcome"]) for record in self.records if record["outcome"] != "finished"]
        return others[-1] if others else "finished"

    @property
    def revision(self) -> str:
        """Short git revision, with a + where tracked files differed from it."""
        git = self.records[-1]["git"]
        return str(git["revision"][:9]) + ("+" if any(record["git"]["changed"] for record in self.records) else "")

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of its stages, value by dotted key."""
        return {key: value for record in self.records for key, value in _flat(record.get("params", {})).items()}

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics that it wrote."""
        return {key: value for record in self.records for key, value in record.get("metrics", {}).items()}


def read_runs(root: Path) -> list[Run]:
    """All recorded runs by time, running and killed ones included."""
    records = [record for stage in record_store.stages(root) for record in record_store.read(root, stage)]
    records += [{**record, "outcome": _outcome(record)} for record in record_store.begun(root)]
    ordered = sorted(records, key=lambda record: (record["session"], record["started"], record["id"]))
    runs = [Run(name, tuple(group)) for name, group in groupby(ordered, key=lambda record: record["session"])]
    return sorted(runs, key=lambda run: (run.started, run.name))


def _outcome(record: Record) -> str:
    """The outcome of a run that recorded no end."""
    if record["host"]["name"] != platform.node():
        return "begun"
    try:
        born = psutil.Process(record["process"]).create_time()
    except psutil.Error:
        return "killed"
    return "running" if born <= datetime.fromisoformat(record["started"]).timestamp() + 1 else "killed"


def find(runs: Sequence[Run], name: str) -> Run:
    """A run by the beginning of its name, by its experiment's name, or the last.

    Raises:
        PlainError: there is no such run, or several.
    """
    if name == LAST and runs:
        return runs[-1]
    found = [run for run in runs if run.name.startswith(name) or run.experiment == name]
    if len(found) == 1:
        return found[0]
    known = ", ".join(run.name for run in (found or runs)[-10:])
    problem = f"{len(found)} runs match" if found else "no such run is recorded here"
    raise PlainError(f"{name}: {problem}; `m3a runs` lists them all, the latest are {known or 'none'}")


class Difference(NamedTuple):
    """One thing in which two runs differ."""

    kind: str
    """metric | stage | parameter | code | input | output | version | machine"""
    what: str
    before: str
    after: str


def differences(a: Run, b: Run) -> Iterator[Difference]:
    """What differs from run `a` to run `b`: all results, and of the stages that both ran all that went into them."""
    for key, before, after in _changes(a.metrics, b.metrics):
        yield Difference("metric", key, before, after)
    ours, theirs = ({record["stage"]: record for record in run.records} for run in (a, b))
    for stage in dict.fromkeys((*ours, *theirs)):
        if stage not in ours or stage not in theirs:
            ran = ("ran", "did not run")
            yield Difference("stage", stage, *(ran if stage in ours else reversed(ran)))
            continue
        yield from _stage_differences(stage, ours[stage], theirs[stage])
    first, second = a.records[-1], b.records[-1]
    for key, before, after in _changes(first["versions"], second["versions"]):
        yield Difference("version", key, before, after)
    for key, before, after in _changes(first["host"], second["host"]):
        yield Difference("machine", key, before, after)
    if first["git"]["revision"] != second["git"]["revision"]:
        yield Difference("machine", "git revision", a.revision, b.revision)


def _stage_differences(stage: str, a: Record, b: Record) -> Iterator[Difference]:
    if a["outcome"] != b["outcome"]:
        yield Difference("stage", stage, a["outcome"], b["outcome"])
    for key, before, after in _changes(_flat(a.get("params", {})), _flat(b.get("params", {}))):
        yield Difference("parameter", f"{stage}: {key}", before, after)
    for path, before, after in _changes(a.get("deps", {}), b.get("deps", {})):
        yield Difference("code" if is_code(path) else "input", f"{stage}: {path}", before, after)
    for path, before, after in _changes(a.get("outs", {}), b.get("outs", {})):
        yield Difference("output", f"{stage}: {path}", before, after)


def _changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key in dict.fromkeys((*a, *b)):
        if a.get(key) != b.get(key):
            before, after = (str(side[key]) if key in side else "absent" for side in (a, b))
            yield key, before, after


def parameters_that_differ(run: Run, current: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a run that differ from params.yaml.

    Args:
        run: the run.
        current: params.yaml, section by section.
    """
    now = _flat(current)
    return {key: value for key, value in run.params.items() if key not in now or now[key] != value}


def _flat(content: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return flat


def track(root: Path) -> list[str]:
    """Copy the records of the results in dvc.lock from the store into data/runs, for git; returns their stages.

    A stage that runs does so itself; this is for results that DVC restored from its cache.
    """
    found = {name: records.record_of(root, stage) for name, stage in lock.read_stages(root).items()}
    return [name for name, record in found.items() if record is not None and record_store.track(root, record)]


def log_of(run: Run, stage: str | None = None) -> Iterator[str]:
    """The log of a run's stages, or of one of them, each under the stage's name.

    Raises:
        PlainError: that stage did not run in it.
    """
    chosen = [record for record in run.records if stage in (None, record["stage"])]
    if not chosen:
        ran = ", ".join(record["stage"] for record in run.records)
        raise PlainError(f"{stage}: did not run in {run.name}, which ran {ran}")
    for record in chosen:
        yield f"== {record['stage']}, {record['started']}, {record['outcome']}"
        yield from record.get("log", ())
