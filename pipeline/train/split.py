"""Frozen features of a split. V views, B videos, C backbone features, N actions, P a sound.

    views.npy V x B x C, targets.npz B x N, sparse, sounds.npy B x P, in a folder of the split's name

Features and sounds are mapped from files: what a step reads is paged in. In memory is what grows with the videos alone,
whatever N, C and P: the targets' action ids, some twenty bytes a video.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import torch
from scipy.sparse import csr_array, load_npz, save_npz
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
    targets: csr_array
    """B x N, bool."""
    sounds: Tensor
    """B x P, float32."""

    @property
    def videos(self) -> int:
        """B."""
        return self.views.shape[1]

    def targets_of(self, rows: np.ndarray) -> Tensor:
        """The targets of some videos, the shape of `rows` x N, bool."""
        targets = self.targets[rows.reshape(-1)].toarray()
        return torch.from_numpy(targets.reshape(*rows.shape, -1))

    def to(self, device: torch.device) -> "Split":
        """The same with features and sounds on a device: a GPU holds all of them."""
        return self._replace(views=self.views.to(device), sounds=self.sounds.to(device))


def split_of(examples: Examples, views: Sequence[Tensor]) -> Split:
    """The split of some examples, given their features in each view (B x C)."""
    return Split(torch.stack(list(views)), sparse_targets(examples.labels, examples.actions), examples.sounds)


def sparse_targets(labels: pa.ListArray, actions: int) -> csr_array:
    """Lists of action ids as a sparse B x N matrix of booleans."""
    ids, offsets = labels.flatten().to_numpy(), labels.offsets.to_numpy()
    return csr_array((np.ones(len(ids), dtype=bool), ids, offsets - offsets[0]), shape=(len(labels), actions))


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
    targets_BN = sparse_targets(table["actions"].combine_chunks(), actions)
    return Split(torch.from_numpy(views_VBC), targets_BN, torch.from_numpy(sounds_BP))


def write_split(folder: Path, split: Split) -> None:
    """Write a split as a folder that is not there yet."""
    folder.mkdir(parents=True)
    np.save(folder / "views.npy", split.views.contiguous().numpy(), allow_pickle=False)
    np.save(folder / "sounds.npy", split.sounds.contiguous().numpy(), allow_pickle=False)
    save_npz(folder / "targets.npz", split.targets, compressed=False)


def read_split(folder: Path) -> Split:
    """A split that `write_split` wrote.

    Raises:
        PlainError: a file is absent or damaged.
    """
    try:
        views_VBC, sounds_BP = (
            torch.from_numpy(np.asarray(np.load(folder / name, mmap_mode="c", allow_pickle=False)))
            for name in ("views.npy", "sounds.npy")
        )
        return Split(views_VBC, load_npz(folder / "targets.npz"), sounds_BP)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise PlainError(f"{folder}: cannot be read as frozen features: {error}; remove it and run again") from error
