"""Peak resident memory of processes, from the kernel (VmHWM).

Not what `getrusage` tells: there a program inherits the peak of the one that started it.
"""

import contextlib
from pathlib import Path

import psutil

KIBIBYTE = 1024
_reported: list[float] = []


def report(megabytes: float) -> None:
    """Take note of what a worker had at most, by its own word."""
    _reported.append(megabytes)


def peak_mb(process: int | str = "self") -> float:
    """The largest resident set that a process has had so far; megabytes.

    Raises:
        OSError: it has ended.
    """
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) * KIBIBYTE / 1e6
    return 0.0  # it has ended, and waits for its parent to ask: the kernel has let go of its memory


def largest_child_mb() -> float | None:
    """The most that any one of this process's workers and living descendants had; None where there are none.

    Children that ended without a word are not counted: nobody knows their own.
    """
    peaks = list(_reported)
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(OSError):  # it ends this moment
            peaks.append(peak_mb(child.pid))
    return max(peaks, default=None)


def largest_mb() -> float:
    """The most that this process or any one of its living descendants had: a worker's word."""
    return max(peak_mb(), largest_child_mb() or 0.0)
