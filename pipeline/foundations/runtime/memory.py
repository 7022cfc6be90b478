"""Peak resident memory of processes, from the kernel (VmHWM).

Unlike `getrusage`, where a program inherits the peak of its parent.
"""

import contextlib
from pathlib import Path

import psutil

KIBIBYTE = 1024
_reported: list[float] = []


def report(megabytes: float) -> None:
    """Note a worker's peak, as it reported it."""
    _reported.append(megabytes)


def peak_mb(process: int | str = "self") -> float:
    """The largest resident set that a process has had so far; megabytes.

    Raises:
        OSError: it has ended.
    """
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) * KIBIBYTE / 1e6
    return 0.0  # a zombie: its memory is freed already


def largest_child_mb() -> float | None:
    """The largest peak of this process's workers and living descendants; None where there are none.

    Children that ended without a report are not counted.
    """
    peaks = list(_reported)
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(OSError):  # it has just ended
            peaks.append(peak_mb(child.pid))
    return max(peaks, default=None)


def largest_mb() -> float:
    """The largest peak of this process and its living descendants, as a worker reports it."""
    return max(peak_mb(), largest_child_mb() or 0.0)
