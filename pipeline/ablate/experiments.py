"""Rows as DVC experiments: queued under names, run one after the other, and what they left read back.

Experiments run in DVC's own copies of the project, so the working tree stays as it is; stages that rows share run
once, since DVC's run cache hands on what the first row's made. One that fails does not keep the next from running.
"""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Literal, NamedTuple, NoReturn

import pyarrow as pa

from pipeline.ablate.rows import Ablation, Changes, Row, Value
from pipeline.foundations.params import presets
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say
from pipeline.foundations.tables import tables

Mode = Literal["joint", "frozen"]
TARGETS: Mapping[Mode, str] = {"joint": "evaluate", "frozen": "data/frozen/dvc.yaml:heads"}
PREDICTIONS: Mapping[Mode, str] = {
    "joint": "data/predictions/predictions.parquet",
    "frozen": "data/frozen/predictions/untuned",
}
SWITCH = "data/frozen/params.yaml:runs"
"""Gives data/frozen/dvc.yaml its stages; none of params.yaml's own."""
LOCKS = ("dvc.lock", "data/raw/dvc.lock", "data/frozen/dvc.lock")
"""What tells DVC that a stage is as it was; taken along where git does not know them."""


class Job(NamedTuple):
    """One experiment of a row: a single seed where all is trained jointly, all seeds where heads are trained alone."""

    row: str
    name: str
    overrides: tuple[str, ...]
    """For `dvc exp run --set-param`."""


def plan(ablation: Ablation, rows: Sequence[Row], *, mode: Mode, seeds: int, extra: Mapping[str, Value]) -> list[Job]:
    """The experiments of some rows of an ablation.

    Args:
        ablation: gives their names.
        rows: which.
        mode: how they are trained.
        seeds: how many a row.
        extra: changes to every row, winning over its own.
    """
    jobs = []
    for row in rows:
        changes = {**_preset(row), **row.changes, **extra}
        stem = f"{ablation.name}-{row.name}-{mode}"
        if mode == "frozen":
            frozen: Changes = {"frozen.repeats": seeds, SWITCH: ["ablate"]}
            jobs.append(Job(row.name, stem, _overrides(changes | frozen)))
        else:
            numbered = [(f"{stem}-{number + 1}", changes | {"train.seed_offset": number}) for number in range(seeds)]
            jobs += [Job(row.name, name, _overrides(values)) for name, values in numbered]
    return jobs


def queue(jobs: Sequence[Job], mode: Mode) -> None:
    """Queue experiments; those of the same names, of an earlier call, make room.

    Raises:
        PlainError: DVC refuses.
    """
    known, names = finished(), {job.name for job in jobs}
    if names & known:
        _dvc("exp", "remove", *sorted(names & known))
    waiting = names & set(_dvc("queue", "status", check=False).split())
    if waiting:
        _dvc("queue", "remove", *sorted(waiting), check=False)
    taken = [part for path in _untracked(LOCKS) for part in ("--copy-paths", path)]
    for number, job in enumerate(jobs, start=1):
        say(f"ablate: queueing {number} of {len(jobs)}: {job.name}")
        sets = [part for override in job.overrides for part in ("--set-param", override)]
        _dvc("exp", "run", "--queue", "--name", job.name, *taken, *sets, TARGETS[mode])


def run(names: Sequence[str]) -> None:
    """Run all that is queued, one after the other, and show what each says; failures are told apart later.

    Where this is stopped, by Ctrl-C or SIGTERM, DVC's workers are stopped too, and those of `names` that still wait
    leave the queue.

    DVC's worker outlives its queue, as a rule by seconds, now and then for good, and keeps our standard output open:
    whoever reads that through a pipe waits for its end. So it is told to go.
    """
    with _sigterm_raises():
        try:
            subprocess.run([sys.executable, "-m", "dvc", "exp", "run", "--run-all"], check=False)
        except BaseException:
            say("ablate: stopped; stopping what runs, and clearing the queue")
            _dvc("queue", "stop", "--kill", check=False)
            _dvc("queue", "remove", *names, check=False)
            raise
    _dvc("queue", "stop", check=False)


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Inside, SIGTERM ends this process as an exception does: what it began is cleared up."""

    def end(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def finished() -> set[str]:
    """The names of all experiments that have ended well."""
    return set(_dvc("exp", "list", "--all-commits", "--name-only").split())


def reason(name: str) -> str:
    """Why an experiment failed: the stage's own line, DVC's, or where to look."""
    lines = _dvc("queue", "logs", name, check=False).splitlines()
    told = [line for line in lines if ": error: " in line] or [line for line in lines if line.startswith("ERROR: ")]
    return told[-1].strip() if told else f"see `dvc queue logs {name}`"


def predictions(name: str, mode: Mode) -> list[pa.Table]:
    """What an experiment left: tables `predictions`, one a seed."""
    from dvc.api import DVCFileSystem

    files = DVCFileSystem(rev=name)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "left"
        if mode == "joint":
            files.get_file(PREDICTIONS[mode], str(target))
            return [tables.read("predictions", target)]
        files.get(PREDICTIONS[mode], str(target), recursive=True)
        return [tables.read("predictions", path) for path in sorted(target.glob("*.parquet"))]


def _preset(row: Row) -> dict[str, Value]:
    """Where a row's preset differs from params.yaml; how the work is done stays as it is here."""
    if row.preset is None:
        return {}
    found = presets.changes(Path("params.yaml").read_text(encoding="utf-8"), presets.read(row.preset))
    return {change.key: change.then for change in found if not change.key.startswith("execution.")}


def _overrides(changes: Mapping[str, Value]) -> tuple[str, ...]:
    return tuple(f"{key}={_written(value)}" for key, value in changes.items())


def _written(value: Value) -> str:
    """A value as Hydra's overrides take it."""
    if isinstance(value, list):
        return f"[{','.join(_written(item) for item in value)}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"'{value}'" if isinstance(value, str) and not value.replace("_", "").isalnum() else str(value)


def _untracked(paths: Iterable[str]) -> list[str]:
    tracked = subprocess.run(["git", "ls-files", *paths], capture_output=True, text=True, check=False).stdout.split()
    return [path for path in paths if Path(path).exists() and path not in tracked]


def _dvc(*arguments: str, check: bool = True) -> str:
    """What a DVC command prints.

    Raises:
        PlainError: it failed, and `check` asks for success.
    """
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("ERROR")]
        raise PlainError(f"dvc {' '.join(arguments[:3])}: {said[0] if said else done.stderr.strip()[-300:]}")
    return done.stdout
