"""Memory of the data loader's batches."""

from pipeline.foundations.params import Frames, Train

AHEAD = 2
"""Batches that a loader process prefetches (PyTorch's default)."""


def batch_bytes(train: Train, frames: Frames, *, actions: int, sound: int = 0) -> int:
    """Bytes of a batch from a loader process.

    Args:
        train: `batch` and `crop` of it.
        frames: `count` of it.
        actions: N.
        sound: P, the size of a video's own VGGish embedding for late fusion, else 0.
    """
    return train.batch * (frames.count * train.crop**2 * 3 + actions + 4 * sound + 8)


def at_once(workers: int) -> int:
    """The largest number of batches at once: prefetched ones, the one in training, and the next as it arrives."""
    return AHEAD * workers + 2 if workers else 2
