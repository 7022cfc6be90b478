"""A split as a frozen backbone sees it, in one file. V views, B videos, C backbone features, N actions, P a sound."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.train.data import Examples


class Split(NamedTuple):
    """Features in the place of pictures."""

    views: Tensor
    """Features, V x B x C, float32."""
    targets: Tensor
    """B x N, bool."""
    sounds: Tensor
    """B x P, float32."""

    def to(self, device: torch.device) -> "Split":
        """The same on a device."""
        return Split(*(tensor.to(device) for tensor in self))


def split_of(examples: Examples, views: Sequence[Tensor]) -> Split:
    """What examples are, with their features in each view (B x C)."""
    targets_BN = np.stack([examples.target(row) for row in range(len(examples))] or [np.zeros(0, dtype=bool)])
    return Split(torch.stack(list(views)), torch.from_numpy(targets_BN), examples.sounds)


def write_splits(path: Path, splits: Mapping[str, Split]) -> None:
    """Write splits by name, atomically."""
    tensors = {
        f"{name}.{field}": tensor.contiguous()
        for name, split in splits.items()
        for field, tensor in zip(Split._fields, split, strict=True)
    }
    with files.atomic_write(path) as draft:
        draft.write_bytes(save(tensors))


def read_split(path: Path, name: str) -> Split:
    """A split by its name.

    Raises:
        PlainError: the file is absent or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return Split(*(file.get_tensor(f"{name}.{field}") for field in Split._fields))
    except (SafetensorError, OSError) as error:
        raise PlainError(f"{path}: cannot be read as frozen features: {error}; remove it and run again") from error
