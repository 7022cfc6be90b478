"""Memory of processes: their peaks, and whether they keep freed blocks.

Peaks are the kernel's (VmHWM), not those of `getrusage`, where a program inherits its parent's.
"""

import contextlib
import ctypes
import os
from pathlib import Path

import psutil

KIBIBYTE = 1024
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Numbers of glibc's `malloc.h`."""
KEPT_BYTES, GROWN_BYTES = 2**31 - 1, 2**26
_reported: list[float] = []
_workers: dict[int, float] = {}


def report(largest: float, together: float, process: int) -> None:
    """Note a worker's peaks, as it reported them: `largest_mb`, `together_mb` and its id."""
    _reported.append(largest)
    if process != os.getpid():
        _workers[process] = max(together, _workers.get(process, 0.0))


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


def together_mb() -> float:
    """The sum of the peaks of this process, its workers, as they reported them, and its other living descendants.

    No less than what they take at once: each counts with its own peak, and pages that several share count in each.
    """
    others = [child for child in psutil.Process().children() if child.pid not in _workers]
    return peak_mb() + sum(_workers.values()) + sum(_tree_mb(child) for child in others)


def _tree_mb(process: psutil.Process) -> float:
    """The sum of the peaks of a process and its living descendants; 0 where it has just ended."""
    total = 0.0
    with contextlib.suppress(psutil.Error):
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(OSError):
                total += peak_mb(each.pid)
    return total


def keep_freed_blocks() -> bool:
    """Let this process reuse large blocks instead of giving each back to the kernel; whether the C library can.

    glibc maps every block of more than 32 MB anew, and the kernel clears each page of it: on two cores a third of the
    time of the visual GCN's heads, twelve side by side on 127 actions (43 s, and 29 s with this). Results do not
    change; the process keeps what its largest step has taken.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, KEPT_BYTES), (M_TOP_PAD, GROWN_BYTES))
    return all(mallopt(key, value) for key, value in settings)
