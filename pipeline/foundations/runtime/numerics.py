"""Portable arithmetic: the same bytes on every x86-64 CPU with AVX2.

NumPy, PyTorch and the libraries below them choose their kernels by the CPU they find, and another kernel adds in
another order: the last bits differ, and training amplifies them. The settings below restrict each library to kernels
that all such CPUs have. They are read once, when a library loads, so they come before any import of NumPy or PyTorch.

torch.sqrt is the exception: MKL's vector library computes it from the CPU's approximate reciprocal root, which differs
between makers. Stages use torch.rsqrt and NumPy's sqrt, which are correctly rounded everywhere (a test).

tests/foundations/runtime/numerics/operations.py prints what each operation gives, to compare machines. None of this
applies to CUDA.
"""

import os
import platform
import sys
from pathlib import Path
from typing import Literal

Numerics = Literal["portable", "native"]

SETTINGS = {
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's own kernels: vectors of 8 floats
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions
    "MKL_CBWR": "COMPATIBLE",  # matrix products of PyTorch: the only branch that MKL promises on CPUs of every maker
    "OPENBLAS_CORETYPE": "Haswell",  # matrix products and decompositions of NumPy, SciPy and scikit-learn
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # NumPy's functions, sums and sorts with AVX-512
    "ARROW_USER_SIMD_LEVEL": "AVX2",  # sums of Arrow's columns
}
"""Environment variables and the values with which each library computes the same on every CPU."""
MARK = "M3A_NUMERICS"
"""Marks that these were set here, so that a process with `native` can unset its parent's settings."""
CPUINFO = Path("/proc/cpuinfo")
NO_AVX2 = (
    "numerics: portable needs an x86-64 CPU with AVX2, which this one lacks: computing natively, so results agree with "
    "those of other machines to rounding only (set numerics: native to leave out this line)"
)


def use_numerics(choice: Numerics) -> str | None:
    """Set the arithmetic of this process and its children.

    `portable` overrides what the user has set. A process that has loaded NumPy or PyTorch goes on as it began.

    Returns:
        A sentence for the log, where portable arithmetic cannot be had here.
    """
    if not {"numpy", "torch"}.isdisjoint(sys.modules):
        return None
    if choice == "portable" and has_avx2():
        os.environ.update(SETTINGS | {MARK: choice})
        return None
    if os.environ.pop(MARK, None):
        for name in SETTINGS:
            os.environ.pop(name, None)
    return NO_AVX2 if choice == "portable" else None


def numerics_in_use() -> Numerics:
    """The arithmetic of this process, from its environment."""
    return "portable" if SETTINGS.items() <= os.environ.items() else "native"


def has_avx2(cpuinfo: Path = CPUINFO) -> bool:
    """Whether the CPU is x86-64 with AVX2, from /proc/cpuinfo."""
    return "avx2" in _first("flags", cpuinfo).split()


def processor() -> str:
    """The CPU's name."""
    return _first("model name", CPUINFO) or platform.machine()


def _first(field: str, cpuinfo: Path) -> str:
    """A field of the first CPU; empty where the kernel names none."""
    lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")
