"""Training examples from the training copies, the same for any number of loader processes.

What an example shows depends on the seed, the epoch and the video's id alone, so neither the number of loader
processes nor an interruption changes it. Shapes: B examples, T frames, Y x X pixels, C channels, N actions.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.clips.packs import EXCLUDED, Packs
from pipeline.foundations.params import Train
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.model.sounds import sounds_of
from pipeline.train.views import Choose, Size, View


class Pick(NamedTuple):
    """One example to make."""

    row: int
    """Of the split."""
    epoch: int


class Batch(NamedTuple):
    """Examples, stacked; an example alone has no axis B."""

    pictures: Tensor
    """uint8, B x T x Y x X x C."""
    targets: Tensor
    """bool, B x N."""
    sounds: Tensor
    """float32, B x P; P is 0 where the model does not hear them."""
    rows: Tensor
    """int64, B; of the split."""


class Examples(Dataset[Batch]):
    """The videos of a split that have a copy, seen as often as they are picked.

    Attributes:
        video_ids: of each row, an Arrow array.
        labels: of each row its action ids, an Arrow array of lists.
        actions: N.
        sounds: of each row, float32; B x P, or B x 0.
    """

    def __init__(
        self, split: pa.Table, packs: Packs, *, actions: int, choose: Choose, crop: int, whitened: Path | None = None
    ) -> None:
        """Join a split to the copies of its videos; a video without a copy is left out.

        Args:
            split: table `splits`.
            packs: the training copies.
            actions: N.
            choose: which view is seen.
            crop: its side in pixels.
            whitened: table of the videos' own sounds, where the model hears them.
        """
        place = pc.index_in(split["video_id"], value_set=packs.video_ids).combine_chunks()
        kept = pc.is_valid(place)
        self.labels: pa.ListArray = split["actions"].filter(kept).combine_chunks()
        self.video_ids: pa.StringArray = split["video_id"].filter(kept).combine_chunks()
        self._place = place.filter(kept).to_numpy()
        self._bounds, self._labels = self.labels.offsets.to_numpy(), self.labels.flatten().to_numpy()
        self.sounds = torch.from_numpy(sounds_of(self.video_ids, whitened)) if whitened else torch.empty(len(self), 0)
        self._packs, self.actions, self._choose, self._crop = packs, actions, choose, crop

    def __len__(self) -> int:
        return len(self._place)

    def __getitem__(self, pick: Pick) -> Batch:
        """One example."""
        video = int(self._place[pick.row])
        width, height = self._packs.sizes[video].tolist()
        size = Size(self._packs.frames(video), width, height, float(self._packs.fps[video]))
        view = self._choose(size, self.video_ids[pick.row].as_py(), pick.epoch)
        pictures = cut(self._packs.pictures(video, view.frames), view, self._crop)
        target = torch.from_numpy(self.target(pick.row))
        return Batch(pictures, target, self.sounds[pick.row], torch.tensor(pick.row))

    def target(self, row: int) -> np.ndarray:
        """Which actions a video has; N, bool."""
        target = np.zeros(self.actions, dtype=bool)
        target[self._labels[self._bounds[row] : self._bounds[row + 1]]] = True
        return target

    def counts(self) -> np.ndarray:
        """How many videos have each action; N."""
        return np.bincount(self._labels, minlength=self.actions)


def open_examples(
    split: Path, packs: Packs, *, actions: int, choose: Choose, train: Train, whitened: Path | None = None
) -> Examples:
    """The examples of a split.

    Args:
        split: path of a table `splits`.
        packs: the training copies; the splits of a run share them, and their open files.
        actions: N.
        choose: which view is seen.
        train: `crop` and `jitter` of it.
        whitened: table of the videos' own sounds, where the model hears them.

    Raises:
        PlainError: a video has neither a copy nor a reason for having none, or the copies are too small.
    """
    table, clips = tables.read("splits", split), packs.folder
    known = pa.concat_arrays([packs.video_ids, *tables.read("exclusions", clips / EXCLUDED)["video_id"].chunks])
    strangers = table["video_id"].filter(pc.invert(pc.is_in(table["video_id"], known)))
    if len(strangers):
        raise PlainError(
            f"{clips}: found no copy of {len(strangers):,} videos of {split}, the first {strangers[0].as_py()}; "
            "run `dvc repro prepare_clips`"
        )
    if len(packs) and packs.sizes.min() < train.jitter[1]:
        raise PlainError(
            f"{clips}: found copies of short side {packs.sizes.min()}, expected train.jitter's upper end of "
            f"{train.jitter[1]} or more; set clips.short_side"
        )
    return Examples(table, packs, actions=actions, choose=choose, crop=train.crop, whitened=whitened)


def cut(pictures: np.ndarray, view: View, crop: int) -> Tensor:
    """Scale a view's frames (T x H x W x C) and take the view's square of `crop` pixels; uint8 T x Y x X x C."""
    pictures_TCYX = torch.from_numpy(pictures).permute(0, 3, 1, 2)  # channels stay innermost in memory
    size = (view.height, view.width)
    if pictures_TCYX.shape[2:] != size:
        if view.scaling == "antialiased":
            pictures_TCYX = F.interpolate(pictures_TCYX, size=size, mode="bilinear", antialias=True)
        else:
            pictures_TCYX = F.interpolate(pictures_TCYX.float(), size=size, mode="bilinear").round().byte()
    pictures_TCYX = pictures_TCYX[:, :, view.top : view.top + crop, view.left : view.left + crop]
    if view.flip:
        pictures_TCYX = pictures_TCYX.flip(3)
    return pictures_TCYX.permute(0, 2, 3, 1).contiguous()
