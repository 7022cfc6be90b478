"""Deterministic PyTorch: a fixed number of threads, and deterministic kernels, while a model runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.utils.deterministic


@contextmanager
def reproducible(threads: int, *, deterministic: bool = True) -> Iterator[None]:
    """Set torch to `threads` threads and to deterministic kernels.

    PyTorch's filling of new memory in deterministic mode is switched off: no kernel here reads uninitialized memory,
    and filling writes every tensor once more.

    Args:
        threads: of the CPU.
        deterministic: False where a GPU may take its fastest kernels, which cuDNN finds by trying them: results then
            differ in the last bits from run to run.
    """
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.benchmark,
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
    )
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it, before its first use
    _set(threads, deterministic, not deterministic, False)
    try:
        yield
    finally:
        _set(*before)


def _set(threads: int, deterministic: bool, benchmark: bool, fill: bool) -> None:
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = benchmark
    torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
