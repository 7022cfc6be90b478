"""Order of the training examples, and batches."""

import os
from collections.abc import Iterator, Sequence
from functools import cache, partial

import numpy as np
import torch
from torch.utils.data import DataLoader

from pipeline.foundations.runtime.loader import AHEAD
from pipeline.foundations.runtime.processes import die_with_parent, sigint_blocked, why_no_locks
from pipeline.foundations.runtime.progress import say
from pipeline.foundations.tables.seeds import generator
from pipeline.train.collate import collate, memory_file
from pipeline.train.data import Batch, Examples, Pick


def shuffled_rows(videos: int, size: int, *, seed: int, purpose: str, epoch: int) -> np.ndarray:
    """The rows of an epoch's batches, steps x size: all videos in an order of its own.

    What does not fill a batch is left out (released code); another epoch leaves out others.
    """
    order = generator(seed, purpose, epoch).permutation(videos)
    return order[: videos - videos % size].reshape(-1, size)


def shuffled(videos: int, size: int, *, seed: int, purpose: str, epoch: int) -> list[list[Pick]]:
    """The same as examples to make."""
    rows = shuffled_rows(videos, size, seed=seed, purpose=purpose, epoch=epoch).tolist()
    return [[Pick(row, epoch) for row in batch] for batch in rows]


def in_order(videos: int, size: int) -> list[list[Pick]]:
    """Batches that hold each video once, by video id; the last may be smaller."""
    return [[Pick(row, 0) for row in range(start, min(start + size, videos))] for start in range(0, videos, size)]


def load(
    examples: Examples, batches: Sequence[Sequence[Pick]], *, workers: int, device: torch.device
) -> Iterator[Batch]:
    """Make the batches, in their order, in `workers` processes beside this one.

    In this one where `workers` is 0, or where the system refuses what processes share: slower, and the same batches.
    """
    beside = min(workers, len(batches))
    if beside and _refused():
        beside = 0
    loader: DataLoader[Batch] = DataLoader(
        examples,
        batch_sampler=[list(batch) for batch in batches],
        collate_fn=collate,
        num_workers=beside,
        prefetch_factor=AHEAD if beside else None,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # what it draws is unused, and must not disturb the model's random state
        worker_init_fn=partial(_begin, os.getpid()),
    )
    with sigint_blocked():
        made = iter(loader)
    yield from made


def _begin(parent: int, _: int) -> None:
    """What a loader process does first."""
    die_with_parent(parent)


@cache
def _refused() -> bool:
    """Whether loader processes cannot share locks or memory with this one; the log says so once."""
    reason = why_no_locks()
    try:
        os.close(memory_file(1))
    except OSError as error:
        reason = reason or str(error.strerror)
    if reason:
        say(f"{reason}; so the training process decodes its clips itself, and nothing is decoded while it computes")
    return reason is not None
