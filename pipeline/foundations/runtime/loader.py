"""Memory that the data loader's batches take on their way to training."""

from pipeline.foundations.params import Frames, Train

AHEAD = 2
"""Batches that a loader process makes before they are asked for (PyTorch's default)."""


def batch_bytes(train: Train, frames: Frames, *, actions: int, sound: int = 0) -> int:
    """Bytes of a batch on its way from a loader process.

    Args:
        train: `batch` and `crop` of it.
        frames: `count` of it.
        actions: N.
        sound: P, the size of a video's own sound where the model hears it.
    """
    return train.batch * (frames.count * train.crop**2 * 3 + actions + 4 * sound + 8)


def at_once(workers: int) -> int:
    """How many batches exist at most: those made ahead, the one that is learnt from, and the next as it arrives."""
    return AHEAD * workers + 2 if workers else 2
