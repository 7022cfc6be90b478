"""What the runs took that made the present results, stage by stage, from their records."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.foundations.runtime.record_store import Record
from pipeline.lineage import lock, records
from pipeline.lineage.audit import lookup

LOADED = "train"
"""The stage whose loader processes end without telling their memory."""
INDEX = ("data/index/videos.parquet", "data/index/missing.parquet")


class Cost(NamedTuple):
    """Of one stage."""

    core_seconds: float
    """Processor seconds of all its processes."""
    disk: float
    """Bytes of its outputs, as they are here."""
    memory: float | None
    """Bytes of all its processes together, each at its peak; None where its record does not tell."""


class Costs(NamedTuple):
    """Of a whole run, as far as it is known."""

    stages: Mapping[str, Cost]
    left_out: Mapping[str, str]
    """Stages that are not in it, and why."""
    videos: int | None
    """That stage index looked at."""
    workers: int | None


def costs(root: Path, params: Mapping[str, Any]) -> Costs:
    """The costs of the stages in dvc.lock whose result follows from those before it and from the present parameters.

    A stage that continued a killed run, or found digests of an earlier one, took less than it does from the start.

    Args:
        root: of the project.
        params: of params.yaml, section by section.

    Raises:
        PlainError: no stage has run here, or a lock file is damaged.
    """
    stages = lock.read_stages(root)
    outs = {out.path: out.md5 for stage in stages.values() for out in stage.outs}
    found: dict[str, Record] = {}
    left_out: dict[str, str] = {}
    old: set[str] = set()
    for name, stage in stages.items():
        current = all(outs.get(dep.path, dep.md5) == dep.md5 for dep in stage.deps)
        current = current and all(lookup(params, key) == value for key, value in stage.params.items())
        record = records.record_of(root, stage)
        if not current or lock.producers(stages, name) & old:
            old.add(name)
            left_out[name] = "has not run since something before it, or a parameter, changed"
        elif record is None:
            left_out[name] = "no run that made its result is recorded here"
        elif record["gpus"]:
            left_out[name] = f"ran on {record['device']}, and the plan is for CPUs"
        else:
            found[name] = record
    index = found.get("index", {}).get("rows_written", {})
    return Costs(
        stages={name: _cost(root, record) for name, record in found.items()},
        left_out=left_out,
        videos=sum(index[path] for path in INDEX) if index.keys() >= set(INDEX) else None,
        workers=max((record["execution"]["workers"] for record in found.values()), default=None),
    )


def _cost(root: Path, record: Record) -> Cost:
    peaks = record["peak_memory_mb"]
    memory = peaks.get("together") if "largest_child" in peaks else peaks["self"]
    known = memory is not None and record["stage"] != LOADED
    disk = sum(_bytes(root / path) for path in record["outs"])
    return Cost(sum(record["cpu_seconds"].values()), disk, memory * 1e6 if known else None)


def _bytes(path: Path) -> int:
    """Of a file, or of all files of a folder; 0 where it is not here."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.exists() else 0
