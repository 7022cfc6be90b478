"""DVC experiments: run them by name, one after the other or some at once, and say why some failed.

Experiments run in DVC's copies of the project, so the working tree does not change. Stages that they share run once,
since DVC's run cache has the results. A failed experiment does not stop the next.

DVC's own queue is not used: its workers die now and then on a busy machine, or outlive the queue, and a message that
ends them may reach those that are started next.
"""

import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from types import FrameType
from typing import NamedTuple, NoReturn

import psutil

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say

DVC = (sys.executable, "-m", "dvc")
LOCKS = ("dvc.lock", "data/raw/dvc.lock", "data/frozen/dvc.lock")
"""Lock files, copied into experiments where git does not track them."""
BEGUN = re.compile(r"(Running stage|Stage) '")
"""What DVC prints once an experiment's copy is made and its stages are looked at."""
PATIENCE = 20.0
"""Seconds within which a process has ended that was asked to."""


class Job(NamedTuple):
    """One experiment of a row: one seed of joint training, or all seeds of heads on frozen features."""

    row: str
    name: str
    overrides: tuple[str, ...]
    """For `dvc exp run --set-param`."""
    target: str
    """The target of `dvc exp run`."""


def run(jobs: Sequence[Job], *, at_once: int = 1) -> dict[str, str]:
    """Run experiments, `at_once` side by side, and show what each says; returns why some failed, by name.

    The first runs alone: it computes the stages that all share, which each would otherwise. What several at once say
    is shown when each has ended. Earlier experiments of the same names are removed. Where this is stopped, by Ctrl-C
    or SIGTERM, all that runs is stopped, too.
    """
    remove(job.name for job in jobs)
    runs, reasons = _Runs(len(jobs), at_once), dict[str, str]()
    with _sigterm_raises(), ThreadPoolExecutor(at_once) as pool:
        try:
            for part in (jobs[:1], jobs[1:]):
                begun = {job.name: pool.submit(runs.run, job) for job in part}
                reasons |= {name: one.result() for name, one in begun.items()}
        except BaseException:
            say("stopped; stopping what runs")
            pool.shutdown(wait=False, cancel_futures=True)
            runs.stop()
            raise
    return {name: reason for name, reason in reasons.items() if reason}


def run_one(job: Job) -> None:
    """Run one experiment, and show what it says.

    Raises:
        PlainError: it failed; with the stage's own reason, or DVC's.
    """
    if reason := run([job]).get(job.name):
        raise PlainError(f"{job.name}: {reason}")


class _Runs:
    """Experiments that run, each a process of DVC with the stages below it."""

    def __init__(self, jobs: int, at_once: int) -> None:
        self._jobs, self._begun, self._at_once = jobs, 0, at_once
        self._beginning, self._showing = Lock(), Lock()
        self._processes: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def run(self, job: Job) -> str:
        """Run an experiment to its end; returns why it failed, or nothing.

        DVC hands an experiment's changes to its copy through a place in git that all experiments share, so the next
        one waits until this one's stages begin.
        """
        lines: list[str] = []
        with self._beginning:
            if self._stopped:
                return "stopped"
            self._begun += 1
            alone = self._at_once == 1 or self._begun == 1
            say(f"experiment {self._begun} of {self._jobs}: {job.name}")
            process = subprocess.Popen(
                [*DVC, "--wait-for-lock", "exp", "run", "--temp", *_arguments(job)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            self._processes.add(process)
            output = process.stdout or iter(())
            for line in output:
                self._take(lines, line, show=alone)
                if BEGUN.match(line):
                    break
        if self._stopped:  # while it began
            _end(process)
        for line in output:
            self._take(lines, line, show=alone)
        if not alone:
            with self._showing:
                _show("".join(lines))
        status = process.wait()
        self._processes.remove(process)
        return _told(lines) or f"dvc exp run ended with status {status}" if status else ""

    def stop(self) -> None:
        """End all that runs, and begin nothing more."""
        self._stopped = True
        for process in list(self._processes):
            _end(process)

    @staticmethod
    def _take(lines: list[str], line: str, *, show: bool) -> None:
        lines.append(line)
        if show:
            _show(line)


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and all below it: first DVC, so that it begins no other stage."""
    try:
        parent = psutil.Process(process.pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.terminate()
    _, left = psutil.wait_procs(family, timeout=PATIENCE)
    for one in left:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def remove(names: Iterable[str]) -> None:
    """Remove experiments of these names, if any; DVC's cache keeps their results."""
    if known := set(names) & set(_dvc("exp", "list", "--all-commits", "--name-only").split()):
        _dvc("exp", "remove", *sorted(known))


def _arguments(job: Job) -> list[str]:
    """The arguments of `dvc exp run` for an experiment."""
    taken = [part for path in untracked(LOCKS) for part in ("--copy-paths", path)]
    sets = [part for override in job.overrides for part in ("--set-param", override)]
    return ["--name", job.name, *taken, *sets, job.target]


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


def _told(lines: Sequence[str]) -> str:
    """The error in the output of a failed experiment, of the stage or of DVC; empty where there is none."""
    told = [line for line in lines if ": error: " in line] or [line for line in lines if line.startswith("ERROR: ")]
    return told[-1].strip() if told else ""


def untracked(paths: Iterable[str]) -> list[str]:
    """Those of some files and folders that are there and outside git, so that experiments lack them."""
    tracked = subprocess.run(["git", "ls-files", *paths], capture_output=True, text=True, check=False).stdout.split()
    return [path for path in paths if Path(path).exists() and path not in tracked]


def _dvc(*arguments: str) -> str:
    """Run a DVC command; returns its output.

    Raises:
        PlainError: it failed.
    """
    done = subprocess.run([*DVC, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("ERROR")]
        raise PlainError(f"dvc {' '.join(arguments[:3])}: {said[0] if said else done.stderr.strip()[-300:]}")
    return done.stdout
