"""Checks of the machine: CPU, GPU, installed packages."""

import importlib.metadata
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from packaging.requirements import Requirement

from pipeline.doctor.finding import Finding, size
from pipeline.doctor.needs import training
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.params import Params
from pipeline.foundations.params.choices import WORD_KINDS
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.extras import lack, remedy
from pipeline.foundations.runtime.numerics import NO_AVX2, has_avx2, processor

LOCK = "requirements.lock"
ALWAYS = ("base", "build", "torch")
"""Sections of the lock that no extra brings."""
PYTHONS = ((3, 11, 4), (3, 13))
"""The first and the last that pyproject.toml names."""
NAMED = 5
FETCHED = "models/pretrained"


def arithmetic(params: Params) -> Finding:
    """Whether results will be byte-identical to other machines'."""
    if params.numerics == "native":
        return Finding("green", "arithmetic", f"native to {processor()}; other CPUs agree to rounding")
    if not has_avx2():
        return Finding("yellow", "arithmetic", f"{processor()} has no AVX2", NO_AVX2)
    return Finding("green", "arithmetic", f"portable, on {processor()}: the same bytes on every x86-64 CPU with AVX2")


def decoder(params: Params) -> Finding:
    """Whether the sandbox of the decoding process applies in full."""
    with Guard(params.media) as guard:
        try:
            lacking = guard.sandbox_status().lacking()
        except PlainError as error:
            return Finding("red", "decoder", str(error), "make install")
    if not lacking:
        return Finding("green", "decoder", "sandboxed by Landlock and seccomp: no files, no network, no programs")
    advice = (
        "decoding works, behind limits and with an empty environment; Landlock needs Linux 5.13 and lsm=landlock, and "
        "the profile of a container may forbid either: for data of strangers, run where both are"
    )
    return Finding("yellow", "decoder", f"sandboxed in part: {'; '.join(lacking)}", advice)


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
    advice = "on a machine with a CUDA GPU: make install TORCH_INDEX=https://pypi.org/simple"
    if params.execution.device == "cuda":
        return Finding(
            "red", "GPU", f"{line}, and execution.device is cuda", f"{advice}; or set execution.device: auto"
        )
    if backbone.endswith("_tiny") or params.dataset.source == "features":
        return Finding("green", "GPU", f"{line}; {backbone} trains on the CPU")
    return Finding("yellow", "GPU", f"{line}; {backbone} is too large to train on a CPU in useful time", advice)


def versions(root: Path) -> Finding:
    """Python and the installed packages against requirements.lock; of an extra's, those that are installed."""
    found, (first, last) = sys.version_info[:3], PYTHONS
    if not first <= found[: len(first)] or found[:2] > last:
        line = f"Python {_dotted(found)}, expected {_dotted(first)} to {_dotted(last)}"
        return Finding("red", "versions", line, f"make install PYTHON=python{_dotted(last)}")
    try:
        pinned = _pinned((root / LOCK).read_text(encoding="utf-8"))
    except OSError as error:
        line = f"{LOCK} cannot be read: {error.strerror}"
        return Finding("yellow", "versions", line, "run m3a in the project's folder")
    installed = {name: _installed(name) for name in pinned}
    asked = {name: pin for name, pin in pinned.items() if pin.always or installed[name] is not None}
    other = [
        f"{name} {installed[name] or 'absent'}, not {pin.version}"
        for name, pin in asked.items()
        if (installed[name] or "").partition("+")[0] != pin.version
    ]
    if other:
        more = f", and {len(other) - NAMED} more" if len(other) > NAMED else ""
        line = f"{len(other)} of {len(asked)} packages are not those of {LOCK}: {', '.join(other[:NAMED])}{more}"
        return Finding("yellow", "versions", line, "make install; with other versions, other bytes may come out")
    return Finding("green", "versions", f"all {len(asked)} packages as in {LOCK}; PyTorch {torch.__version__}")


class _Pin(NamedTuple):
    version: str
    always: bool
    """Whether it is installed whatever the extras."""


def _pinned(lock: str) -> dict[str, _Pin]:
    """What the lock has for this Python and machine, by package."""
    pins: dict[str, _Pin] = {}
    section = ALWAYS[0]
    for line in lock.splitlines():
        if line.startswith("# == "):
            section = line.split()[2]
        elif line and line[0].isalnum():
            requirement = Requirement(line.removesuffix(" \\"))
            if requirement.marker is None or requirement.marker.evaluate():
                pin = _Pin(str(requirement.specifier).removeprefix("=="), section in ALWAYS)
                pins[requirement.name] = max(pin, pins.get(requirement.name, pin), key=lambda each: each.always)
    return pins


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def extras(root: Path, params: Params) -> Iterator[Finding]:
    """What params.yaml asks for and comes with an extra that is not installed; not for what was fetched already."""
    fetched = root / FETCHED
    asked = {
        "hub": (params.vggish.source == "hub" and not (fetched / "vggish.safetensors").exists(), "vggish.source: hub"),
        "dask": (params.execution.engine == "dask", "execution.engine: dask"),
        "tensorboard": (params.execution.tensorboard is not None, "execution.tensorboard"),
    }  # fmt: skip
    if extra_of_words := WORD_KINDS[params.words.source].extra:
        asked[extra_of_words] = (not (fetched / "words.bin").exists(), f"words.source: {params.words.source}")
    for extra, (needed, purpose) in asked.items():
        sentence = lack(extra, purpose) if needed else None
        if sentence is not None:
            yield Finding("red", "extras", sentence, remedy(extra))
