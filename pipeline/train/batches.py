"""In which order examples come, and in which batches."""

import os
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch.utils.data import DataLoader

from pipeline.processes import deaf_to_ctrl_c, end_with
from pipeline.seeds import generator
from pipeline.train.data import Batch, Examples, Pick


def shuffled(videos: int, size: int, *, seed: int, purpose: str, epoch: int) -> list[list[Pick]]:
    """An epoch's batches of `size`: all videos in an order of its own.

    What does not fill a batch is left out (released code); another epoch leaves out others.
    """
    order = generator(seed, purpose, epoch).permutation(videos).tolist()
    return [[Pick(row, epoch) for row in order[start : start + size]] for start in range(0, videos - size + 1, size)]


def in_order(videos: int, size: int) -> list[list[Pick]]:
    """Batches that hold each video once, by video id; the last may be smaller."""
    return [[Pick(row, 0) for row in range(start, min(start + size, videos))] for start in range(0, videos, size)]


def load(
    examples: Examples, batches: Sequence[Sequence[Pick]], *, workers: int, device: torch.device
) -> Iterator[Batch]:
    """Make the batches, in their order, in `workers` processes beside this one (0: in this one)."""
    loader: DataLoader[Batch] = DataLoader(
        examples,
        batch_sampler=[list(batch) for batch in batches],
        num_workers=min(workers, len(batches)),
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # what it draws is unused, and must not disturb the model's random state
        worker_init_fn=partial(_begin, os.getpid()),
    )
    with deaf_to_ctrl_c():
        made = iter(loader)
    yield from made


def _begin(parent: int, _: int) -> None:
    """What a loader process does first."""
    end_with(parent)
