"""Resources that a run used: processor time, I/O, memory, GPU."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from pipeline.foundations.runtime import memory


def cpu_seconds() -> dict[str, float]:
    """Processor time of this process, and of its ended and living children."""
    own = os.times()
    children = own.children_user + own.children_system
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has just ended
            times = child.cpu_times()
            children += times.user + times.system + times.children_user + times.children_system
    return {"self": round(own.user + own.system, 3), "children": round(children, 3)}


def io_mb() -> dict[str, float]:
    """Megabytes that this process and its children read and wrote, in total and from or to a disk.

    The kernel adds a child's counts when its parent has waited for it (proc_pid_io(5)).
    """
    totals = dict.fromkeys(("rchar", "wchar", "read_bytes", "write_bytes"), 0)
    for process in (os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))):
        with suppress(OSError):  # it has just ended, or the kernel keeps no account
            for line in Path(f"/proc/{process}/io").read_text(encoding="ascii").splitlines():
                name, value = line.split(": ")
                if name in totals:
                    totals[name] += int(value)
    names = {"rchar": "read", "wchar": "written", "read_bytes": "read_from_disk", "write_bytes": "written_to_disk"}
    return {names[name]: round(value / 1e6, 3) for name, value in totals.items()}


def peak_memory_mb() -> dict[str, float]:
    """Peak resident memory of this process; where it had children that are known, of the largest, and of all together.

    Megabytes. Of children that ended without a report, as training's loader processes do, nothing is known.
    """
    peaks = {"self": memory.peak_mb()}
    if (child := memory.largest_child_mb()) is not None:
        peaks |= {"largest_child": child, "together": memory.together_mb()}
    return {name: round(peak, 1) for name, peak in peaks.items()}


def gpus() -> list[dict[str, Any]]:
    """The GPUs that this process used: name, memory, and PyTorch's peak; megabytes."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return []
    return [
        {
            "name": str(torch.cuda.get_device_name(number)),
            "memory_mb": round(torch.cuda.get_device_properties(number).total_memory / 1e6, 1),
            "peak_memory_mb": round(torch.cuda.max_memory_reserved(number) / 1e6, 1),
        }
        for number in range(torch.cuda.device_count())
        if torch.cuda.max_memory_reserved(number)
    ]
