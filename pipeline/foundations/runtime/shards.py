"""Resumable parallel map over videos, in shards, on any engine (DESIGN.md, invariant 5).

Items are cut into shards; a shard's task writes its own file, which is renamed into place with its digest beside it.
A run continues where a killed one stopped: complete shards are kept, damaged ones are made again. Work in progress lies
outside what DVC tracks, in `.cache/<stage>/<key of the inputs>`, under an exclusive lock, since a stage can outlive a
killed DVC. What is made depends on the items alone, never on workers, engine or order.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256 as new_sha256
from pathlib import Path
from typing import Any, Generic, TypedDict, TypeVar, Unpack

from filelock import FileLock, Timeout

from pipeline.foundations.params import Execution, Section
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.engines import run_tasks
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.numerics import numerics_in_use
from pipeline.foundations.runtime.progress import say, track

HOW = ("pipeline.foundations.runtime", "pipeline.foundations.params")
"""Packages that no stage declares; REVISION in foundations/tables counts in their place."""
FACES = ("pipeline", "pipeline.foundations", "stages")
T = TypeVar("T")
Task = Callable[[Sequence[T], Path], Mapping[str, int]]
"""Given a shard's items and the path to write its file at, do the work and return counts for the log."""


@dataclass(frozen=True)
class Shard:
    """One finished shard: its file, and the counts that its task returned."""

    path: Path
    counts: Mapping[str, int]


@dataclass(frozen=True)
class _Job(Generic[T]):
    """What travels to a worker."""

    task: Task[T]
    items: Sequence[T]
    target: Path

    def __call__(self) -> Path:
        with self._lock:
            if not _is_whole(self.target):  # a worker of a run that was lost, elsewhere in a cluster, may have made it
                self._make()
        return self.target

    def clear(self) -> None:
        """Remove what a stopped worker left half-made; one that is still at it, elsewhere in a cluster, is let be."""
        with suppress(Timeout), self._lock.acquire(blocking=False):
            for path in (self.target, _record_path(self.target)):
                files.remove_partial(path)

    @property
    def _lock(self) -> FileLock:
        return FileLock(self.target.with_name(self.target.name + ".lock"))

    def _make(self) -> None:
        with files.atomic_write(self.target) as draft:
            counts = self.task(self.items, draft)
            digest = files.sha256(draft)
        record = {"sha256": digest, "counts": dict(counts)}
        files.write_text(_record_path(self.target), json.dumps(record, sort_keys=True))


def input_key(*parts: object) -> str:
    """A name for the inputs of a stage: parameters, items, arithmetic and the project's code as loaded now.

    Sections count by their values; everything else by its `repr`, so pass plain values. Of the code, what dvc.yaml
    declares counts: a comment changed in how the work runs must not start a million videos anew.
    """
    digest = new_sha256()
    for part in (numerics_in_use(), *parts):
        text = part.model_dump_json() if isinstance(part, Section) else repr(part)
        digest.update(text.encode())
        digest.update(b"\x1f")
    for name in sorted(sys.modules):
        source = getattr(sys.modules[name], "__file__", None)
        if _decides_what(name) and source:
            digest.update(Path(source).read_bytes())
    return digest.hexdigest()[:20]


def _decides_what(module: str) -> bool:
    """Whether a module is the project's and is more than a folder's face, or how the work runs."""
    if module in FACES:
        return False
    return module.split(".", maxsplit=1)[0] in ("pipeline", "stages") and not any(
        module == package or module.startswith(f"{package}.") for package in HOW
    )


class Sharding(TypedDict):
    """How work is cut, where it is kept meanwhile, and how it is run."""

    stage: str
    key: str
    """Of the inputs (`input_key`): shards of an earlier run with the same are used."""
    size: int
    """Items a shard."""
    suffix: str
    """Of a shard's file."""
    execution: Execution
    label: str
    """Of the progress bar."""


@contextmanager
def shards(task: Task[T], items: Sequence[T], **how: Unpack[Sharding]) -> Iterator[list[Shard]]:
    """Run `task` over `items` in shards and yield the finished shards in the items' order.

    The files live until the context ends well; then the whole work folder goes. After a failure or a kill
    they stay, and the next run with the same key uses them.

    Raises:
        PlainError: another process works in the same folder; or whatever the task raises.
    """
    size, label = how["size"], how["label"]
    with locked_work_dir(how["stage"], how["key"]) as folder:
        starts = range(0, len(items), size)
        targets = [folder / f"{number:06d}{how['suffix']}" for number in range(len(starts))]
        jobs = [
            _Job(task, items[start : start + size], target)
            for start, target in zip(starts, targets, strict=True)
            if not _is_whole(target)
        ]
        if len(jobs) < len(targets):
            say(f"{label}: {len(targets) - len(jobs):,} of {len(targets):,} shards kept from an earlier run")
        try:
            with closing(run_tasks(jobs, how["execution"])) as made:
                for _ in track(made, total=len(jobs), label=label):
                    pass
        except BaseException:  # of one worker, or Ctrl-C: the others were stopped, wherever they were
            for job in jobs:
                job.clear()
            raise
        yield [Shard(target, _record(target)["counts"]) for target in targets]


@contextmanager
def locked_work_dir(stage: str, key: str) -> Iterator[Path]:
    """The folder for a stage's work in progress on these inputs, locked; removed when the context ends well.

    Raises:
        PlainError: another process works in the same folder.
    """
    folder = files.cache_folder().absolute() / stage / key  # a worker kept from earlier may stand elsewhere
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder.parent / f"{key}.lock").acquire(blocking=False)
    except Timeout as error:
        raise PlainError(f"{folder}: another process is at work there; wait for it, or stop it") from error
    with lock:  # acquired once, so that leaving releases it
        yield folder
        files.remove_work(folder)


def total(finished: Sequence[Shard]) -> dict[str, int]:
    """The counts of all shards, added up, by name."""
    sums: dict[str, int] = {}
    for shard in finished:
        for name, count in shard.counts.items():
            sums[name] = sums.get(name, 0) + count
    return dict(sorted(sums.items()))


def _record_path(target: Path) -> Path:
    return target.with_name(target.name + ".json")


def _record(target: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_record_path(target).read_text(encoding="utf-8"))
    return content


def _is_whole(target: Path) -> bool:
    """Whether a shard of an earlier run is there and its bytes are what they were."""
    try:
        record = _record(target)
        return isinstance(record["counts"], dict) and bool(record["sha256"] == files.sha256(target))
    except (OSError, ValueError, KeyError, TypeError):
        return False  # absent, cut off or edited: it is made again
