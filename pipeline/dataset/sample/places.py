"""Where the sample shows each action: what `layout.write_places` wrote, read back for scoring localization."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.dataset.sample.layout import PLACES
from pipeline.dataset.sample.scenes import FPS
from pipeline.foundations.params import Render
from pipeline.foundations.runtime.errors import PlainError


class Place(NamedTuple):
    """The square that shows an action at one time; edges as parts of the frame's width and height."""

    seconds: float
    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """The part of the frame that it covers."""
        return (self.right - self.left) * (self.bottom - self.top)

    def holds(self, x: float, y: float) -> bool:
        """Whether a point, in parts of the frame, lies in the square."""
        return self.left <= x < self.right and self.top <= y < self.bottom


Places = Mapping[str, Mapping[str, tuple[Place, ...]]]
"""By a video's path, then by the action's name: where it is, by rising time."""


def read_places(folder: Path, render: Render) -> Places:
    """Where each action of each video is.

    Args:
        folder: of the annotation files.
        render: the frame's size in pixels, which the file counts in.

    Raises:
        PlainError: the file is absent or not as `layout.write_places` writes it.
    """
    found: dict[str, dict[str, tuple[Place, ...]]] = {}
    width, height = render.width, render.height
    try:
        with (folder / PLACES).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                x, y, side_x, side_y = (int(row[name]) for name in ("x", "y", "width", "height"))
                square = (x / width, y / height, (x + side_x) / width, (y + side_y) / height)
                places = found.setdefault(row["video"], {})
                earlier = places.get(row["action"], ())
                places[row["action"]] = (*earlier, Place(int(row["frame"]) / FPS, *square))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise PlainError(
            f"{folder / PLACES}: not the places of the sample's actions: {error}; run `dvc repro render`"
        ) from error
    return found
