"""What each run of a stage leaves behind: when, how long, with what, on which machine.

Kept beside the outputs and outside their hashes, in data/runs/STAGE.json, so that same bytes stay same bytes.
"""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pipeline.foundations.params import Params
from pipeline.foundations.runtime import memory
from pipeline.foundations.runtime.files import write_text
from pipeline.foundations.runtime.numerics import numerics_in_use, processor
from pipeline.foundations.tables import tables

FOLDER = Path("data/runs")
PACKAGES = ("av", "dvc", "gensim", "numpy", "pandas", "pyarrow", "scikit-learn", "tensorflow", "tensorflow-cpu",
            "torch")  # fmt: skip


@contextmanager
def recorded(stage: str, params: Params) -> Iterator[None]:
    """Leave a record of what runs inside, whether it ends well or not; of torchrun's processes, the first does."""
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    started, clock = datetime.now(UTC), time.monotonic()
    outcome = "failed"
    try:
        yield
        outcome = "finished"
    finally:
        content = {
            "stage": stage,
            "outcome": outcome,
            "started": started.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - clock, 3),
            "peak_memory_mb": _peak_memory_mb(),
            "rows_read": _outside_work(tables.rows_read),
            "rows_written": _outside_work(tables.rows_written),
            "seed": params.seed,
            "execution": params.execution.model_dump(mode="json"),
            "device": _device(),
            "numerics": numerics_in_use(),
            "git": _git(),
            "host": {"name": platform.node(), "system": platform.platform(), "cpu": processor()},
            "versions": {"python": platform.python_version(), **_versions()},
        }
        write_text(FOLDER / f"{stage}.json", json.dumps(content, indent=2) + "\n")


def _outside_work(rows: dict[str, int]) -> dict[str, int]:
    """Rows by table, without the shards of work in progress."""
    return {path: count for path, count in sorted(rows.items()) if ".cache" not in Path(path).parts}


def _peak_memory_mb() -> dict[str, float]:
    """Largest resident set of this process, and of its largest child where it had one that told."""
    peaks = {"self": memory.peak_mb(), "largest_child": memory.largest_child_mb()}
    return {name: round(peak, 1) for name, peak in peaks.items() if peak is not None}


def _device() -> str:
    """The accelerator that PyTorch used; only asked where the stage has loaded PyTorch."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return str(torch.cuda.get_device_name())
    return "cpu"


def _git() -> dict[str, str | bool]:
    revision = _ask("git", "rev-parse", "HEAD")
    return {"revision": revision, "changed": bool(_ask("git", "status", "--porcelain", "--untracked-files=no"))}


def _ask(*command: str) -> str:
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    return run.stdout.strip() if run.returncode == 0 else "unknown"


def _versions() -> dict[str, str]:
    """Of the packages that matter to the result, those that are installed: TensorFlow comes with an extra."""
    return {name: version for name in PACKAGES if (version := _version(name)) is not None}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
