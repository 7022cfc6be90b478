"""Record each run of a stage: inputs, outputs, time, duration, versions, machine.

The record is not an output, so outputs stay byte-identical. It is kept by record_store.py.
"""

import importlib.metadata
import json
import os
import platform
import re
import subprocess
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
from packaging.requirements import Requirement

from pipeline.foundations.params import Params
from pipeline.foundations.runtime import incidents, record_store, resources
from pipeline.foundations.runtime.declared import Declared, declared, kept_by_git
from pipeline.foundations.runtime.digests import files_below, md5
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.interrupts import INTERRUPTED
from pipeline.foundations.runtime.numerics import numerics_in_use, processor
from pipeline.foundations.runtime.progress import said, say
from pipeline.foundations.tables import tables

HERE = Path()
PACKAGES = ("av", "dvc", "gensim", "numpy", "pandas", "pyarrow", "scikit-learn", "tensorflow", "tensorflow-cpu",
            "torch")  # fmt: skip
"""Packages whose versions are recorded even where the project is not installed."""
TOOLS = ("dev", "lock")
"""Extras without effect on results."""
SHELLS = {"sh", "bash", "dash", "zsh"}
LONGEST_LOG = 1000
"""Lines of a stage's log that are kept, half from the start and half from the end."""


@contextmanager
def recorded(stage: str, params: Params) -> Iterator[None]:
    """Record what runs inside, however it ends; with torchrun, only in the first process."""
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    start, clock = datetime.now(UTC), time.monotonic()
    first_line = len(said())
    place = record_store.folder(HERE)
    record = _beginning(stage, params, start)
    _attempt(lambda: record_store.begin(place, record))
    outcome: dict[str, Any] = {"outcome": "finished", "exit": 0}
    try:
        yield
    except BaseException as error:
        outcome = _failure(error)
        raise
    finally:
        log = [*said()[first_line:], *outcome.pop("error", ())]
        record |= outcome | _costs(clock) | {"log": _shortened(log)}
        if outcome["outcome"] == "finished":
            record |= result(stage, start)
        _attempt(lambda: record_store.end(place, record))
        if record.get("key"):
            _attempt(lambda: record_store.track(HERE, record))


def result(stage: str, start: datetime) -> dict[str, Any]:
    """Inputs, parameters and outputs of a run, by the digests that DVC will write to dvc.lock.

    Inputs that changed since `start` are named, since it is not known which version the stage read. Empty for a stage
    that dvc.yaml lacks.
    """
    found = declared(HERE, stage)
    if found is None:
        return {}
    deps = {path: _digest(path) for path in found.deps}
    outs = {path: _digest(path) for path in found.outs}
    return {
        "key": record_store.key_of(stage, deps, found.params, outs),
        "deps": deps,
        "params": dict(found.params),
        "outs": outs,
        "changed_while_running": [path for path in found.deps if _last_change(path) > start.timestamp()],
        "metrics": _metrics(found),
    }


def _digest(path: str) -> str:
    try:
        return md5(HERE / path)
    except OSError as error:
        return error.strerror or "unreadable"


def _last_change(path: str) -> float:
    """When a file, or the latest of a folder's, was last written."""
    whole = HERE / path
    files = files_below(whole) if whole.is_dir() else [whole]
    return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)


def _metrics(found: Declared) -> dict[str, Any]:
    """The metrics that the stage wrote, as JSON has them."""
    values: dict[str, Any] = {}
    for path in found.metrics:
        with suppress(OSError, ValueError):
            values |= json.loads((HERE / path).read_text(encoding="utf-8"))
    return values


def _beginning(stage: str, params: Params, start: datetime) -> dict[str, Any]:
    """The fields that are known when a run begins."""
    return {
        "id": f"{start:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}",
        "stage": stage,
        "session": _session(),
        "experiment": os.environ.get("DVC_EXP_NAME"),
        "started": start.isoformat(timespec="milliseconds"),
        "process": os.getpid(),
        "seed": params.seed,
        "execution": params.execution.model_dump(mode="json"),
        "numerics": numerics_in_use(),
        "git": _git(),
        "host": {"name": platform.node(), "system": platform.platform(), "cpu": processor()},
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _costs(clock: float) -> dict[str, Any]:
    """Resources used so far."""
    gpus = resources.gpus()
    return {
        "ended": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "seconds": round(time.monotonic() - clock, 3),
        "cpu_seconds": resources.cpu_seconds(),
        "io_mb": resources.io_mb(),
        "peak_memory_mb": resources.peak_memory_mb(),
        "device": gpus[0]["name"] if gpus else "cpu",
        "gpus": gpus,
        "incidents": dict(incidents.so_far()),
        "rows_read": _outside_work(tables.rows_read),
        "rows_written": _outside_work(tables.rows_written),
    }


def _failure(error: BaseException) -> dict[str, Any]:
    """The outcome of a run that did not finish, and its error as lines."""
    if isinstance(error, KeyboardInterrupt):
        return {"outcome": "stopped", "exit": INTERRUPTED}
    plain = isinstance(error, PlainError)
    lines = [f"error: {error}"] if plain else "".join(traceback.format_exception(error)).splitlines()
    return {"outcome": "failed", "exit": 1, "error": lines}


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= LONGEST_LOG:
        return lines
    half = LONGEST_LOG // 2
    return [*lines[:half], f"... {len(lines) - 2 * half:,} lines are not kept ...", *lines[-half:]]


def _attempt(write: Callable[[], object]) -> None:
    """Write a record; a failure is logged only, since `m3a audit` reports absent records."""
    try:
        write()
    except (PlainError, OSError) as error:
        say(f"this run leaves no record: {error}")


def _outside_work(rows: Mapping[str, int]) -> dict[str, int]:
    """Rows by table, without the shards of work in progress."""
    return {path: count for path, count in sorted(rows.items()) if ".cache" not in Path(path).parts}


def _session() -> str:
    """An id of the `dvc repro` that this run belongs to; a stage run by hand has its own."""
    process = psutil.Process()
    if "DVC_STAGE" in os.environ:
        with suppress(psutil.Error):
            process = next((other for other in process.parents() if other.name() not in SHELLS), process)
    parts = (platform.node(), process.pid, process.create_time(), os.environ.get("DVC_EXP_NAME"))
    return sha256(repr(parts).encode()).hexdigest()[:8]


def _git() -> dict[str, Any]:
    """The revision, and the tracked files that differ from it, without those that DVC and this record write."""
    try:
        own = kept_by_git(HERE)
    except OSError:
        own = set()
    status = _ask("git", "status", "--porcelain", "-z", "--untracked-files=no")
    names = [entry[3:] for entry in status.split("\0") if re.match(r"[ A-Z?!]{2} ", entry)]
    return {"revision": _ask("git", "rev-parse", "HEAD").strip() or "unknown", "changed": list(_by_people(names, own))}


def _by_people(names: Iterable[str], own: set[str]) -> Iterator[str]:
    for name in names:
        if Path(name).name != "dvc.lock" and name not in own and record_store.TRACKED not in Path(name).parents:
            yield name


def _ask(*command: str) -> str:
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    return run.stdout if run.returncode == 0 else ""


def _versions() -> dict[str, str]:
    """Versions of the installed libraries that the project uses, extras included."""
    names = {*PACKAGES, *_requirements()}
    return {name: version for name in sorted(names) if (version := _version(name)) is not None}


def _requirements() -> Iterator[str]:
    """The project's requirements without development tools."""
    with suppress(importlib.metadata.PackageNotFoundError):
        for line in importlib.metadata.requires("m3a") or ():
            requirement = Requirement(line)
            if not any(f'extra == "{extra}"' in str(requirement.marker) for extra in TOOLS):
                yield requirement.name


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
