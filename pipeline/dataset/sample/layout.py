"""The files beside the sample's videos: annotations as M-MiT ships them, and where each action is shown."""

import csv
from collections.abc import Sequence
from pathlib import Path

from pipeline.dataset.sample.cooccurrence import ACTIONS
from pipeline.dataset.sample.plan import Plan
from pipeline.dataset.sample.scenes import FPS, Track, tracks
from pipeline.foundations.params import Render

CATEGORIES = "moments_categories.txt"
SPLIT_FILES = {"train": "trainingSet.txt", "validation": "validationSet.txt", "test": "testSet.txt"}
PLACES = "places.csv"
PLACE_EVERY = 3
"""Frames between two recorded places: 0.2 s."""


def write_annotations(folder: Path, plans: Sequence[Plan]) -> None:
    """Write the vocabulary, `name,index` a line, and a file a split, `folder/file.mp4,index[,index...]` a line."""
    index = {action: number for number, action in enumerate(ACTIONS)}
    _write_lines(folder / CATEGORIES, [f"{action},{number}" for action, number in index.items()])
    for split, file in SPLIT_FILES.items():
        labels = {plan.path: sorted(index[action] for action in plan.actions) for plan in plans if plan.split == split}
        _write_lines(folder / file, [",".join([path, *map(str, indices)]) for path, indices in labels.items()])


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def write_places(folder: Path, plans: Sequence[Plan], render: Render) -> None:
    """Write where each action that is shown is, every PLACE_EVERY frames, in pixels from the top left corner.

    For scoring localization alone: nothing that trains reads it.
    """
    with (folder / PLACES).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["video", "action", "frame", "x", "y", "width", "height"])
        for plan in plans:
            for track in plan_tracks(plan, render):
                for frame, place in list(enumerate(track.places))[::PLACE_EVERY]:
                    writer.writerow([plan.path, track.action, frame, place.x, place.y, place.side, place.side])


def plan_tracks(plan: Plan, render: Render) -> list[Track]:
    """Where each shown action of a planned video is, frame by frame."""
    frames = round(render.seconds * FPS)
    return tracks(render.seed, plan.path, plan.shown, frames=frames, height=render.height, width=render.width)
