"""DVC's queue: put experiments into it by name, run them one after the other, say why some failed.

Experiments run in DVC's copies of the project, so the working tree does not change. Stages that they share run once,
since DVC's run cache has the results. A failed experiment does not stop the next.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

import psutil

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say

LOCKS = ("dvc.lock", "data/raw/dvc.lock", "data/frozen/dvc.lock")
"""Lock files, copied into experiments where git does not track them."""
WATCH_SECONDS, PATIENCE, WORKERS = 60.0, 3, 5
"""Between two looks at DVC's worker; how many find none before another is started; and how many are, at most."""
WORKER = Path(".dvc/tmp/exps/celery/dvc-exp-worker-1.json")
"""Where DVC notes the worker's process. A busy worker does not always answer `dvc queue status`."""


class Job(NamedTuple):
    """One experiment of a row: one seed of joint training, or all seeds of heads on frozen features."""

    row: str
    name: str
    overrides: tuple[str, ...]
    """For `dvc exp run --set-param`."""
    target: str
    """The target of `dvc exp run`."""


def queue(jobs: Sequence[Job]) -> None:
    """Queue experiments; earlier ones of the same names are removed.

    Raises:
        PlainError: DVC refuses.
    """
    names = {job.name for job in jobs}
    remove(names)
    waiting = names & set(_dvc("queue", "status", check=False).split())
    if waiting:
        _dvc("queue", "remove", *sorted(waiting), check=False)
    for number, job in enumerate(jobs, start=1):
        say(f"ablate: queueing {number} of {len(jobs)}: {job.name}")
        _dvc("exp", "run", "--queue", *_arguments(job))


def run_temporary(job: Job) -> None:
    """Run one experiment now, in a copy of the project, and print its output.

    Raises:
        PlainError: it failed; with the stage's own reason, or DVC's.
    """
    remove([job.name])
    say(f"running {job.name}")
    command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", *_arguments(job)]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.append(line)
    if process.returncode:
        raise PlainError(f"{job.name}: {_told(lines) or 'failed; see what DVC says above'}")


def remove(names: Iterable[str]) -> None:
    """Remove experiments of these names, if any; DVC's cache keeps their results."""
    if known := set(names) & finished():
        _dvc("exp", "remove", *sorted(known))


def _arguments(job: Job) -> list[str]:
    """The arguments of `dvc exp run` for an experiment."""
    taken = [part for path in untracked(LOCKS) for part in ("--copy-paths", path)]
    sets = [part for override in job.overrides for part in ("--set-param", override)]
    return ["--name", job.name, *taken, *sets, job.target]


def run(names: Sequence[str]) -> None:
    """Run all that is queued, one after the other, and show what each says; failures are told apart later.

    Where this is stopped, by Ctrl-C or SIGTERM, DVC's workers are stopped too, and those of `names` that still wait
    leave the queue. A worker that is gone while experiments wait, as happens on a busy machine, is started again.

    DVC's worker outlives its queue, as a rule by seconds, now and then for good, and keeps our standard output open:
    whoever reads that through a pipe waits for its end. So it is told to go.
    """
    with _sigterm_raises():
        try:
            for _ in range(WORKERS):
                if _follow():
                    break
                say("ablate: DVC's worker is gone while experiments wait; starting another")
            else:
                raise PlainError(f"{WORKERS} of DVC's workers are gone; of the last: {WORKER.parent}/*.out")
        except BaseException:
            say("ablate: stopped; stopping what runs, and clearing the queue")
            _dvc("queue", "stop", "--kill", check=False)
            _dvc("queue", "remove", *names, check=False)
            raise
    _dvc("queue", "stop", check=False)


def _follow() -> bool:
    """Run what is queued and show what it says, to the end; False where no worker is left that would do so."""
    missed = 0
    with subprocess.Popen([sys.executable, "-m", "dvc", "exp", "run", "--run-all"]) as process:
        try:
            while missed < PATIENCE:
                try:
                    process.wait(WATCH_SECONDS)
                    return True
                except subprocess.TimeoutExpired:
                    missed = 0 if _works() else missed + 1
        finally:
            process.kill()  # which only follows a worker, and has ended unless this was stopped
    return False


def _works() -> bool:
    """Whether DVC's worker is a living process."""
    try:
        number = int(json.loads(WORKER.read_text(encoding="utf-8"))["pid"])
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, psutil.Error):
        return False


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Inside, SIGTERM raises an exception, so that cleanup runs."""

    def end(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def finished() -> set[str]:
    """The names of all experiments that succeeded."""
    return set(_dvc("exp", "list", "--all-commits", "--name-only").split())


def reason(name: str) -> str:
    """Why an experiment failed: the stage's own line, DVC's, or where to look."""
    lines = _dvc("queue", "logs", name, check=False).splitlines()
    return _told(lines) or f"see `dvc queue logs {name}`"


def _told(lines: Sequence[str]) -> str:
    """The error in the output of a failed experiment, of the stage or of DVC; empty where there is none."""
    told = [line for line in lines if ": error: " in line] or [line for line in lines if line.startswith("ERROR: ")]
    return told[-1].strip() if told else ""


def untracked(paths: Iterable[str]) -> list[str]:
    """Those of some files and folders that are there and outside git, so that experiments lack them."""
    tracked = subprocess.run(["git", "ls-files", *paths], capture_output=True, text=True, check=False).stdout.split()
    return [path for path in paths if Path(path).exists() and path not in tracked]


def _dvc(*arguments: str, check: bool = True) -> str:
    """Run a DVC command; returns its output.

    Raises:
        PlainError: it failed and `check` is set.
    """
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("ERROR")]
        raise PlainError(f"dvc {' '.join(arguments[:3])}: {said[0] if said else done.stderr.strip()[-300:]}")
    return done.stdout
