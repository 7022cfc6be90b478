"""Choose devices: the CPU, or the GPUs of a machine, one worker for each.

A worker takes the first free GPU by a lock that the kernel releases when the process ends, however it ends. This works
for workers of joblib and Dask alike, which have no numbers.
"""

import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from filelock import FileLock, Timeout

from pipeline.foundations.params import Execution
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say

Device = Literal["auto", "cpu", "cuda"]
MAX_WAIT = 10.0
"""Seconds to wait for a free GPU: a killed worker may take a while to release its own."""
FASTEST = "execution.deterministic is false: the GPU takes its fastest kernels, and a rerun gives other last bits"
"""Said in the log where kernels are not deterministic."""
_held: dict[Path, FileLock] = {}
"""The locks of this process, which end with it."""


class Devices(NamedTuple):
    """The devices of a stage's workers; sent to them."""

    kind: Literal["cpu", "cuda"]
    gpus: int
    """Of a machine."""
    locks: Path
    """Folder of the locks, the same for all workers of a machine."""
    deterministic: bool = True
    """False where a GPU may use its fastest, nondeterministic kernels."""

    @property
    def compute(self) -> tuple[str, bool]:
        """What results depend on."""
        return self.kind, self.deterministic

    def shared_by(self, execution: Execution) -> Execution:
        """`execution` with one worker for each GPU."""
        return execution if self.kind == "cpu" else execution.model_copy(update={"workers": self.gpus})

    def own(self) -> torch.device:
        """The device of this worker, reserved until it ends.

        Raises:
            PlainError: torch sees no GPU here, or others have them all.
        """
        if self.kind == "cpu":
            return torch.device("cpu")
        return torch.device("cuda", take(self.locks, gpu_names(self.gpus)))


def devices_of(execution: Execution) -> Devices:
    """The devices of a stage.

    The workers of a running cluster are on other machines: a device that is asked for by name must exist there, and
    `auto` is what this machine has.

    Raises:
        PlainError: CUDA is asked for, and there is none, or there are fewer GPUs than `execution.gpus`.
    """
    joins = execution.engine == "dask" and execution.address is not None
    kind = "cuda" if joins and execution.device == "cuda" else choose_device(execution.device).type
    if kind == "cuda" and not joins and execution.gpus > torch.cuda.device_count():
        raise PlainError(
            f"execution.gpus is {execution.gpus}, but PyTorch sees {torch.cuda.device_count()} here: lower it"
        )
    locks = files.cache_folder().absolute() / "gpus"
    deterministic = is_deterministic(execution, kind)
    if not deterministic:
        say(FASTEST)
    return Devices("cuda" if kind == "cuda" else "cpu", execution.gpus, locks, deterministic)


def is_deterministic(execution: Execution, kind: str) -> bool:
    """Whether kernels are held to the same bits each time on this kind of device; a CPU's always are."""
    return execution.deterministic or kind != "cuda"


def choose_device(device: Device, local_rank: int = 0) -> torch.device:
    """The device of a single process, or of one process of torchrun by its local rank.

    Raises:
        PlainError: CUDA was asked for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise PlainError("execution.device is cuda, but PyTorch sees no GPU here: set it to auto or cpu")
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", local_rank)


def gpu_names(count: int) -> list[str]:
    """The names of this machine's first GPUs, at most `count`, in the order of their numbers here.

    Numbers are not unique: where CUDA_VISIBLE_DEVICES or a cgroup shows each process its own GPU, that has number 0 in
    all of them. So the name is the UUID; MIG instances share that, and are told apart by what makes them visible.
    """
    host, visible = socket.gethostname(), os.environ.get("CUDA_VISIBLE_DEVICES", "").replace("/", "_")
    part = f"-{visible}" if "MIG" in visible else ""
    numbers = range(min(count, torch.cuda.device_count()))
    return [f"{host}-{torch.cuda.get_device_properties(number).uuid}{part}" for number in numbers]


def take(locks: Path, names: Sequence[str], *, patience: float = MAX_WAIT) -> int:
    """Lock the first free name until this process ends; returns its number.

    The one that this process has already is taken again.

    Raises:
        PlainError: others have them all, for longer than `patience` seconds; or there are none.
    """
    paths = [locks / f"{name}.lock" for name in names]
    for number, path in enumerate(paths):
        if path in _held:
            return number
    locks.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + patience
    while paths:
        for number, path in enumerate(paths):
            lock = FileLock(path, thread_local=False)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            _held[path] = lock
            return number
        if time.monotonic() > until:
            raise PlainError(
                f"execution.gpus: all {len(paths)} GPUs that a worker on {socket.gethostname()} may use have a worker "
                f"already: start one worker for each GPU, and set execution.gpus to the number of GPUs"
            )
        time.sleep(0.1)
    raise PlainError(
        f"execution.device is cuda, but PyTorch sees no GPU on {socket.gethostname()}, where a worker runs"
    )
