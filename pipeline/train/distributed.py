"""Distributed training: one process for each device, alone or started by torchrun."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.foundations.runtime.devices import Device, choose_device
from pipeline.foundations.runtime.progress import console

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class DistributedContext:
    """This process's rank, size and device."""

    rank: int
    size: int
    device: torch.device

    @property
    def late(self) -> bool:
        """Whether a step's loss is read while the next one computes: on a GPU, which would wait otherwise."""
        return self.device.type == "cuda"

    @property
    def key(self) -> tuple[str | int, ...]:
        """Added to the key of this process's random draws; empty for the first process."""
        return ("rank", self.rank) if self.rank else ()

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and logs."""
        return self.rank == 0

    def local_shard(self, items: Sequence[T]) -> Sequence[T]:
        """This process's part of a batch: every size-th item; all parts together are the batch."""
        return items[self.rank :: self.size]

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a tensor over all processes."""
        if self.size == 1:
            return value
        total = value.clone()
        dist.all_reduce(total)
        return total / self.size

    def gather(self, part: T) -> list[T]:
        """What every process has, by rank."""
        if self.size == 1:
            return [part]
        parts: list[T | None] = [None] * self.size
        dist.all_gather_object(parts, part)
        return parts  # type: ignore[return-value]

    def share_buffers(self, model: nn.Module) -> None:
        """Broadcast the first process's buffers, such as batch norm statistics."""
        if self.size > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, 0)

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            dist.barrier()

    def wrap_ddp(self, model: nn.Module) -> nn.Module:
        """The model wrapped in DistributedDataParallel; the model itself with one process.

        Every step uses the same weights. Buffers are not sent before each: batch norms keep the statistics of their own
        clips, or synchronize themselves, until those are measured anew or shared.
        """
        if self.size == 1:
            return model
        return DistributedDataParallel(
            model,
            device_ids=[self.device] if self.device.type == "cuda" else None,
            broadcast_buffers=False,
            gradient_as_bucket_view=True,
            static_graph=True,
        )


@contextmanager
def init_distributed(device: Device) -> Iterator[DistributedContext]:
    """The context that this process belongs to: torchrun says so in the environment; without it, a context of one.

    Processes other than the leader fall silent.

    Raises:
        PlainError: CUDA was asked for and there is none.
    """
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    chosen = choose_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if size == 1:
        yield DistributedContext(rank=0, size=1, device=chosen)
        return
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    console.quiet = rank != 0
    try:
        yield DistributedContext(rank=rank, size=size, device=chosen)
    except BaseException:
        console.quiet = False  # any process that fails prints its error
        raise
    finally:
        dist.destroy_process_group()
