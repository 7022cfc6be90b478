"""Stack examples to a batch; a loader process does it in memory that the training process maps, so nothing is copied.

PyTorch's own collation takes that memory from the mount /dev/shm, of which a container has 64 MB unless it was asked
for more (Docker): three batches of 64 clips of 8 frames of 112 x 112. memfd_create(2) gives the same memory without a
mount, hence without its limit; only the memory of the machine, or of the container, bounds it.
"""

import ctypes
import os
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from pipeline.train.data import Batch

NAME = "m3a-batch"
"""Of the memory, as /proc shows it."""
_MFD_CLOEXEC = 1  # linux/memfd.h


def collate(examples: Sequence[Batch]) -> Batch:
    """Stack examples along a new first axis B."""
    return Batch(*(_stack(tensors) for tensors in zip(*examples, strict=True)))


def _stack(tensors: tuple[Tensor, ...]) -> Tensor:
    first, count = tensors[0], sum(tensor.nbytes for tensor in tensors)
    if get_worker_info() is None or not count:
        return torch.stack(tensors)
    descriptor = memory_file(count)
    try:
        storage = torch.UntypedStorage._new_shared_fd_cpu(descriptor, count)  # type: ignore[attr-defined]  # keeps a copy
    finally:
        os.close(descriptor)
    shared = torch.empty(0, dtype=first.dtype).set_(storage, 0, (len(tensors), *first.shape))  # type: ignore[call-overload]
    return torch.stack(tensors, out=shared)


def memory_file(size: int) -> int:
    """The descriptor of new memory of `size` bytes that processes can share; it goes when nobody holds it any more.

    By the C library: Pythons that were built for older systems, conda's and uv's, lack os.memfd_create.

    Raises:
        OSError: the kernel refuses.
    """
    descriptor: int = ctypes.CDLL(None, use_errno=True).memfd_create(NAME.encode(), _MFD_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), f"memfd_create: {os.strerror(ctypes.get_errno())}")
    os.truncate(descriptor, size)
    return descriptor
