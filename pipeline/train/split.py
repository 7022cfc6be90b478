"""Frozen features of a split. V views, B videos, C backbone features, N actions, P a sound.

    views.npy V x B x C, targets.npy B x N, sounds.npy B x P, in a folder of the split's name

The files are mapped into memory: what a step reads is paged in, so memory stays flat however many videos there are.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.clips.imported import array_name, imported_features
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.model.sounds import sounds_of
from pipeline.train.data import Examples


class Split(NamedTuple):
    """The features of a split's videos, with targets and sounds."""

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
    """The split of some examples, given their features in each view (B x C)."""
    targets_BN = np.stack([examples.target(row) for row in range(len(examples))] or [np.zeros(0, dtype=bool)])
    return Split(torch.stack(list(views)), torch.from_numpy(targets_BN), examples.sounds)


def imported_split(clips: Path, name: str, split: Path, *, actions: int, whitened: Path | None) -> Split:
    """A split of imported features.

    Args:
        clips: folder of training copies that stage prepare_clips wrote.
        name: of the split there.
        split: table `splits`.
        actions: N.
        whitened: table of the videos' own sounds, where they are wanted.

    Raises:
        PlainError: copies and split are of different videos, or a file cannot be read.
    """
    views_VBC, table = imported_features(clips, name), tables.read("splits", split)
    if views_VBC.shape[1] != table.num_rows:
        raise PlainError(
            f"{clips / array_name(name)}: found {views_VBC.shape[1]:,} videos, and {table.num_rows:,} in {split}; "
            "run `dvc repro prepare_clips`"
        )
    ids = table["video_id"].combine_chunks()
    sounds_BP = sounds_of(ids, whitened) if whitened else np.zeros((len(ids), 0), np.float32)
    targets_BN = tables.multi_hot(table["actions"], actions)
    return Split(torch.from_numpy(views_VBC), torch.from_numpy(targets_BN), torch.from_numpy(sounds_BP))


def write_split(folder: Path, split: Split) -> None:
    """Write a split as a folder that is not there yet."""
    folder.mkdir(parents=True)
    for field, tensor in zip(Split._fields, split, strict=True):
        np.save(folder / f"{field}.npy", tensor.contiguous().numpy(), allow_pickle=False)


def read_split(folder: Path) -> Split:
    """A split that `write_split` wrote.

    Raises:
        PlainError: a file is absent or damaged.
    """
    try:
        arrays = [np.load(folder / f"{field}.npy", mmap_mode="c", allow_pickle=False) for field in Split._fields]
    except (OSError, ValueError) as error:
        raise PlainError(f"{folder}: cannot be read as frozen features: {error}; remove it and run again") from error
    return Split(*(torch.from_numpy(np.asarray(array)) for array in arrays))
