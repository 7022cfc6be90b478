"""The machine: its accelerator, and the packages that are installed on it."""

import importlib.metadata
import sys
from pathlib import Path

import torch

from pipeline.doctor.finding import Finding, size
from pipeline.doctor.needs import training
from pipeline.numerics import NO_AVX2, has_avx2, processor
from pipeline.params import Params

LOCK = "requirements.lock"
PYTHON = (3, 11)
NAMED = 5


def arithmetic(params: Params) -> Finding:
    """Whether results will be those of other machines, byte for byte."""
    if params.numerics == "native":
        return Finding("green", "arithmetic", f"native to {processor()}; other CPUs agree to rounding")
    if not has_avx2():
        return Finding("yellow", "arithmetic", f"{processor()} has no AVX2", NO_AVX2)
    return Finding("green", "arithmetic", f"portable, on {processor()}: the same bytes on every x86-64 CPU with AVX2")


def accelerator(params: Params) -> Finding:
    """Whether there is a GPU that PyTorch can use, and whether a training step fits on it."""
    if not torch.cuda.is_available():
        return _no_accelerator(params)
    name, there = torch.cuda.get_device_name(), torch.cuda.get_device_properties(0).total_memory
    if params.execution.device == "cpu":
        return Finding("yellow", "GPU", f"{name}, unused", "execution.device is cpu; set it to auto")
    needed, count, gpus = training(params), torch.cuda.device_count(), params.execution.gpus
    line = f"{count} x {name}, {size(there)}; a training step takes about {size(needed)} in float32"
    if needed > there:
        advice = "mixed precision halves most of it; else lower train.batch, or share it between GPUs by torchrun"
        return Finding("yellow", "GPU", line, advice)
    if gpus > count:
        advice = f"set it to {count}, or join a cluster whose machines have as many (execution.address)"
        return Finding("yellow", "GPU", f"{line}; execution.gpus is {gpus}", advice)
    return Finding("green", "GPU", line)


def _no_accelerator(params: Params) -> Finding:
    backbone, line = params.backbone.name, f"none that PyTorch {torch.__version__} can use"
    advice = "on a machine with a CUDA GPU: make install TORCH_INDEX=https://download.pytorch.org/whl/cu130"
    if params.execution.device == "cuda":
        return Finding(
            "red", "GPU", f"{line}, and execution.device is cuda", f"{advice}; or set execution.device: auto"
        )
    if backbone.endswith("_tiny"):
        return Finding("green", "GPU", f"{line}; {backbone} trains on the CPU")
    return Finding("yellow", "GPU", f"{line}; {backbone} is too large to train on a CPU in useful time", advice)


def versions(root: Path) -> Finding:
    """Python and the installed packages against requirements.lock."""
    found = sys.version_info[:2]
    if found != PYTHON:
        advice = f"make install PYTHON=python{PYTHON[0]}.{PYTHON[1]}"
        return Finding("red", "versions", f"Python {found[0]}.{found[1]}, expected {PYTHON[0]}.{PYTHON[1]}", advice)
    try:
        lines = (root / LOCK).read_text(encoding="utf-8").split()
    except OSError as error:
        line = f"{LOCK} cannot be read: {error.strerror}"
        return Finding("yellow", "versions", line, "run m3a in the project's folder")
    pinned = dict(line.split("==", 1) for line in lines if "==" in line)
    installed = {name: _installed(name) for name in pinned}
    other = [f"{name} {installed[name]}, not {pinned[name]}" for name in pinned if installed[name] != pinned[name]]
    if other:
        more = f", and {len(other) - NAMED} more" if len(other) > NAMED else ""
        line = f"{len(other)} of {len(pinned)} packages are not those of {LOCK}: {', '.join(other[:NAMED])}{more}"
        return Finding("yellow", "versions", line, "make install; with other versions, other bytes may come out")
    return Finding("green", "versions", f"all {len(pinned)} packages as in {LOCK}; PyTorch {torch.__version__}")


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
