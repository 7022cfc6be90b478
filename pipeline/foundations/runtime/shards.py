"""Resumable parallel map over videos, in shards, on any engine (DESIGN.md, invariant 5).

Items are cut into shards; a shard's task writes its own file, which is then renamed with its counts and digest. A run
continues where a killed one stopped: complete shards are kept, damaged ones are made again. Work in progress lies
outside what DVC tracks, one file a shard in folders of a thousand, under an exclusive lock, since a stage can outlive a
killed DVC:

    .cache/<stage>/<key of the inputs>/012/012345-excluded=1,videos=63-<sha256>.bin

Results depend on the items alone, never on workers, engine or order.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256 as new_sha256
from pathlib import Path
from typing import Generic, TypedDict, TypeVar, Unpack

from filelock import FileLock, Timeout

from pipeline.foundations.params import Execution, Section
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.engines import run_tasks
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.numerics import numerics_in_use
from pipeline.foundations.runtime.progress import say, track

HOW = ("pipeline.foundations.runtime", "pipeline.foundations.params")
"""Packages that no stage declares; REVISION in foundations/tables stands for them."""
PACKAGE_INIT = ("pipeline", "pipeline.foundations", "stages")
PER_FOLDER = 1000
_FINISHED = re.compile(r"(?P<number>\d{6,})-(?P<counts>(?:\w+=\d+,?)*)-[0-9a-f]{64}")
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
    """A task with its items, as sent to a worker."""

    task: Task[T]
    items: Sequence[T]
    target: Path
    """The path while it is written; a finished shard has another name."""

    def __call__(self) -> Path:
        self.target.parent.mkdir(exist_ok=True)
        with self._lock:  # a lost worker elsewhere in the cluster may have made it
            shard = _finished(self.target.parent).get(self.target.stem)
            if shard is None or not _is_intact(shard):
                shard = self._make()
            Path(self._lock.lock_file).unlink(missing_ok=True)  # who waits for it will find the shard finished
        return shard.path

    def clear(self) -> None:
        """Remove a stopped worker's partial file, unless a worker elsewhere in the cluster is still writing it."""
        with suppress(Timeout), self._lock.acquire(blocking=False):
            files.remove_partial(self.target)

    @property
    def _lock(self) -> FileLock:
        return FileLock(self.target.with_name(self.target.name + ".lock"))

    def _make(self) -> Shard:
        with files.atomic_write(self.target) as draft:
            counts = self.task(self.items, draft)
            digest = files.sha256(draft)
        known = ",".join(f"{name}={count}" for name, count in sorted(counts.items()))
        return Shard(self.target.replace(self.target.with_stem(f"{self.target.stem}-{known}-{digest}")), counts)


def input_key(*parts: object) -> str:
    """A digest of a stage's inputs: parameters, items, arithmetic and the project's code as loaded now.

    Sections count by their values; everything else by its `repr`, so pass plain values. Only code that dvc.yaml
    declares counts: a changed comment in foundations/runtime must not restart a million videos.
    """
    digest = new_sha256()
    for part in (numerics_in_use(), *parts):
        text = part.model_dump_json() if isinstance(part, Section) else repr(part)
        digest.update(text.encode())
        digest.update(b"\x1f")
    for name in sorted(sys.modules):
        source = getattr(sys.modules[name], "__file__", None)
        if _counts_as_input(name) and source:
            digest.update(Path(source).read_bytes())
    return digest.hexdigest()[:20]


def _counts_as_input(module: str) -> bool:
    """Whether a module of the project counts: not an empty `__init__`, and not of `HOW`."""
    if module in PACKAGE_INIT:
        return False
    return module.split(".", maxsplit=1)[0] in ("pipeline", "stages") and not any(
        module == package or module.startswith(f"{package}.") for package in HOW
    )


class Sharding(TypedDict):
    """How work is cut into shards, where these are kept, and how they are run."""

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

    The files exist until the context ends without an error; then the work folder is removed. After a failure or kill
    they stay, and the next run with the same key uses them.

    Raises:
        PlainError: another process works in the same folder; or whatever the task raises.
    """
    size, label = how["size"], how["label"]
    with locked_work_dir(how["stage"], how["key"]) as folder:
        starts = range(0, len(items), size)
        targets = [
            folder / f"{number // PER_FOLDER:03d}" / f"{number:06d}{how['suffix']}" for number in range(len(starts))
        ]
        earlier = _all_finished(targets)
        with ThreadPoolExecutor(how["execution"].workers) as threads:  # reading and hashing let others go on
            kept = list(threads.map(_is_intact, map(earlier.get, [target.stem for target in targets])))
        jobs = [
            _Job(task, items[start : start + size], target)
            for start, target, whole in zip(starts, targets, kept, strict=True)
            if not whole
        ]
        if len(jobs) < len(targets):
            say(f"{label}: {len(targets) - len(jobs):,} of {len(targets):,} shards kept from an earlier run")
        try:
            with closing(run_tasks(jobs, how["execution"])) as ended:
                for _ in track(ended, total=len(jobs), label=label):
                    pass
        except BaseException:  # an error of one worker, or Ctrl-C: the others were stopped
            for job in jobs:
                job.clear()
            raise
        made = _all_finished(targets)
        yield [made[target.stem] for target in targets]


@contextmanager
def locked_work_dir(stage: str, key: str) -> Iterator[Path]:
    """The locked folder for a stage's work in progress on these inputs; removed when the context ends without an error.

    Where two experiments of DVC's do the same work at once, the second gets a folder of its own.

    Raises:
        PlainError: another process works in the same folder.
    """
    root = files.cache_folder().absolute() / stage  # a reused worker may have another working directory
    root.mkdir(parents=True, exist_ok=True)
    folder, lock = root / key, FileLock(root / f"{key}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        if not files.in_a_copy():
            raise PlainError(f"{folder}: another process is at work there; wait for it, or stop it") from error
        folder = root / f"{key}-{Path.cwd().name}"  # DVC names each copy anew: nobody else works there
    try:
        folder.mkdir(exist_ok=True)
        yield folder
    except BaseException:
        lock.release()
        raise
    files.remove_work(folder, then=lock.release)  # until then nobody else may start with what is about to go


def total(finished: Sequence[Shard]) -> dict[str, int]:
    """The sums of all shards' counts, by name."""
    sums: dict[str, int] = {}
    for shard in finished:
        for name, count in shard.counts.items():
            sums[name] = sums.get(name, 0) + count
    return dict(sorted(sums.items()))


def _all_finished(targets: Sequence[Path]) -> dict[str, Shard]:
    found: dict[str, Shard] = {}
    for folder in sorted({target.parent for target in targets}):
        found |= _finished(folder)
    return found


def _finished(folder: Path) -> dict[str, Shard]:
    """The finished shards in a folder by their six-digit number; their bytes are not checked."""
    found = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        if known := _FINISHED.fullmatch(path.stem):
            counts = (each.split("=") for each in known["counts"].split(",") if each)
            found[known["number"]] = Shard(path, {name: int(count) for name, count in counts})
    return found


def _is_intact(shard: Shard | None) -> bool:
    """Whether a shard is there and unchanged; a damaged one is removed."""
    if shard is None:
        return False
    if shard.path.stem.endswith(f"-{files.sha256(shard.path)}"):
        return True
    shard.path.unlink()
    return False
