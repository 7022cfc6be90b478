"""Find the record of the run that made a result, by digests and never by the stage's name alone."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.foundations.runtime import record_store
from pipeline.foundations.runtime.record_store import Record
from pipeline.lineage.digest_cache import DigestCache
from pipeline.lineage.lock import Recorded, Stage

ABSENT = "made elsewhere; record absent"
"""Shown for a result that no known run made."""


class CurrentResult(NamedTuple):
    """A stage's current result and the run that made it."""

    stage: Stage
    """Inputs, parameters and outputs, from dvc.lock, or from the record of another run that made the current result."""
    record: Record | None
    """Of the latest run that made it; None where no known run did."""
    note: str
    """A warning: the record is absent, or dvc.lock names another result."""


def current_results(root: Path, stages: Mapping[str, Stage]) -> dict[str, CurrentResult]:
    """The current result of each stage in dvc.lock, and its record."""
    cache = DigestCache(root)
    found = {name: current(root, stage, cache) for name, stage in stages.items()}
    cache.save()
    return found


def current(root: Path, stage: Stage, cache: DigestCache) -> CurrentResult:
    """The current result of a stage in dvc.lock, and its record.

    Outputs that differ from dvc.lock are the result of another run, where a known one made them. Absent outputs are
    taken as dvc.lock names them.
    """
    others = [out.path for out in stage.outs if not _same(root, out, cache)]
    if not others:
        record = record_of(root, stage)
        return CurrentResult(stage, record, "" if record else ABSENT)
    note = f"not what dvc.lock names: {', '.join(others)}; `dvc checkout` restores that"
    here = {out.path: _digest(root, out.path, cache) for out in stage.outs}
    for record in reversed(finished(root, stage.name)):
        if record["outs"] == here:
            return CurrentResult(as_stage(record), record, note)
    outs = tuple(Recorded(path, digest) for path, digest in here.items())
    return CurrentResult(Stage(stage.name, (), outs, {}), None, f"{ABSENT}; {note}")


def as_stage(record: Record) -> Stage:
    """A run's record as an entry of dvc.lock."""
    deps, outs = (tuple(Recorded(*item) for item in record[kind].items()) for kind in ("deps", "outs"))
    return Stage(record["stage"], deps, outs, record["params"])


def record_of(root: Path, stage: Stage) -> Record | None:
    """The record of the latest run that made what dvc.lock says of a stage; None where no known one did."""
    found = records_of(root, stage)
    return found[-1] if found else None


def records_of(root: Path, stage: Stage) -> list[Record]:
    """The records of all runs that made what dvc.lock says of a stage, by time."""
    key = key_of(stage)
    here = [record for record in finished(root, stage.name) if record["key"] == key]
    return here or [record for record in _in_history(root, stage.name, key) if is_intact(record)]


def key_of(stage: Stage) -> str:
    """The key of a stage's result."""
    return record_store.key_of(stage.name, _by_path(stage.deps), stage.params, _by_path(stage.outs))


def _by_path(entries: tuple[Recorded, ...]) -> Mapping[str, str]:
    return {entry.path: entry.md5 for entry in entries}


def finished(root: Path, stage: str) -> list[Record]:
    """The records of a stage's runs that ended well and made a result, by time."""
    return [record for record in record_store.read(root, stage) if record.get("key") and is_intact(record)]


def is_intact(record: Record) -> bool:
    """Whether a record is of a finished run and unchanged: its key is the digest of its content."""
    parts = [record.get(part) for part in ("deps", "params", "outs")]
    whole = all(isinstance(part, dict) for part in parts) and record.get("outcome") == "finished"
    return whole and record_store.key_of(record["stage"], *parts) == record["key"]  # type: ignore[arg-type]


def _in_history(root: Path, stage: str, key: str) -> Iterator[Record]:
    """Records in the commits of any branch or experiment, where the working tree has none."""
    path = (record_store.TRACKED / f"{stage}.jsonl").as_posix()
    revisions = _git(root, "log", "--all", "--format=%H", f"-S{key}", "--", path).split()
    for revision in revisions:
        for record in record_store.parse(_git(root, "show", f"{revision}:{path}")):
            if record["key"] == key:
                yield record
                return


def _git(root: Path, *arguments: str) -> str:
    """What git prints; empty where it has nothing to say, or there is no repository."""
    run = subprocess.run(["git", *arguments], cwd=root, check=False, capture_output=True)
    return run.stdout.decode("utf-8", errors="replace") if run.returncode == 0 else ""


def _same(root: Path, out: Recorded, cache: DigestCache) -> bool:
    """Whether an output is what dvc.lock names, or absent."""
    return not (root / out.path).exists() or _digest(root, out.path, cache) == out.md5


def _digest(root: Path, path: str, cache: DigestCache) -> str:
    try:
        return cache.md5(root / path)
    except OSError as error:
        return error.strerror or "unreadable"
