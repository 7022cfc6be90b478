"""One video's picture: which action is where at each frame, and the frames themselves."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.dataset.sample.backgrounds import Backdrop, backdrop, brightness, drift
from pipeline.dataset.sample.looks import SHORT_SIDE, Look, Sprite, draw, looks
from pipeline.dataset.sample.motion import MOTIONS, REACH
from pipeline.dataset.sample.sine import TURN
from pipeline.foundations.tables.seeds import generator

FPS = 15
PERIODS = (11, 22)
"""Shortest and longest period of a motion, in frames."""
SHADOW = 3
"""How far a shadow falls, in pixels."""


class Place(NamedTuple):
    """The square that shows an action in one frame, in pixels, and how it is drawn there."""

    x: int
    y: int
    side: int
    turn: int
    opacity: int


class Cell(NamedTuple):
    """A part of the frame, in pixels; or all of it."""

    top: int
    left: int
    height: int
    width: int


class Track(NamedTuple):
    """One action over the video."""

    action: str
    look: Look
    places: tuple[Place, ...]
    """One a frame."""


def tracks(seed: int, name: str, actions: Sequence[str], *, frames: int, height: int, width: int) -> list[Track]:
    """Where each of a video's actions is, frame by frame; always inside the frame.

    Args:
        seed: of the sample.
        name: of the video.
        actions: that it shows.
        frames: number of frames.
        height: of the frame, pixels.
        width: of the frame, pixels.
    """
    rng = generator(seed, "tracks", name)
    frame = Cell(0, 0, height, width)
    cells = _cells(frame, len(actions))
    order = rng.permutation(len(cells))[: len(actions)]
    return [
        _track(rng, action, looks(seed)[action], cells[cell], frame, frames)
        for action, cell in zip(actions, order, strict=True)
    ]


def _cells(frame: Cell, count: int) -> list[Cell]:
    """The frame in as many parts as `count` actions need: whole, halves or quarters."""
    if count == 1:
        return [frame]
    width = frame.width // 2
    if count == 2:
        return [Cell(0, left, frame.height, width) for left in (0, width)]
    height = frame.height // 2
    return [Cell(top, left, height, width) for top in (0, height) for left in (0, width)]


def _track(rng: np.random.Generator, action: str, look: Look, cell: Cell, frame: Cell, frames: int) -> Track:
    """Set an action into its cell and let it move; size, period and start vary from video to video."""
    side = look.side * min(frame.height, frame.width) * int(rng.integers(90, 111)) // (SHORT_SIDE * 100)
    middle_y = _middle(rng, cell.top, cell.height, side)
    middle_x = _middle(rng, cell.left, cell.width, side)
    period = int(rng.integers(PERIODS[0], PERIODS[1] + 1))
    start = int(rng.integers(TURN))
    places = []
    for time in range(frames):
        pose = MOTIONS[look.motion](start + time * TURN // period)
        now = side * pose.scale // 100
        x = min(max(middle_x + pose.x - now // 2, 0), frame.width - now)
        y = min(max(middle_y + pose.y - now // 2, 0), frame.height - now)
        places.append(Place(x, y, now, pose.turn, look.opacity * pose.opacity // 100))
    return Track(action, look, tuple(places))


def _middle(rng: np.random.Generator, start: int, length: int, side: int) -> int:
    """Somewhere on a stretch, with room for the action and its motion; half-way where there is too little."""
    margin = min(side // 2 + REACH, length // 2)
    return start + int(rng.integers(margin, max(length - margin, length // 2) + 1))


def film(seed: int, name: str, shown: Sequence[Track], *, frames: int, height: int, width: int) -> np.ndarray:
    """Draw a video; uint8, frames x (height x width x 3 / 2): the planes Y, U and V of yuv420p, one after the other."""
    rng = generator(seed, "backdrop", name)
    behind = backdrop(rng, height, width)
    corner = drift(rng, frames)
    light = brightness(rng, frames)
    reel = np.empty((frames, height * width * 3 // 2), dtype=np.uint8)
    for frame in range(frames):
        top, left = (int(edge) for edge in corner[frame])
        planes = _cut(behind, top, left, height, width)
        for track in shown:
            place = track.places[frame]
            _paste(planes, draw(track.look, place.side, place.turn, odd=(place.y % 2, place.x % 2)), place)
        luma = np.clip(planes.luma * light[frame] >> 8, 16, 235)
        reel[frame] = np.concatenate([luma.ravel(), planes.blue.ravel(), planes.red.ravel()])
    return reel


def _cut(behind: Backdrop, top: int, left: int, height: int, width: int) -> Backdrop:
    """The part of the backdrop that the frame shows; a copy."""
    rows, columns = slice(top // 2, (top + height) // 2), slice(left // 2, (left + width) // 2)
    luma = behind.luma[top : top + height, left : left + width]
    return Backdrop(luma.copy(), behind.blue[rows, columns].copy(), behind.red[rows, columns].copy())


def _paste(frame: Backdrop, sprite: Sprite, place: Place) -> None:
    """Lay a sprite and its shadow over a frame, in place."""
    shadow = place.x + SHADOW, place.y + SHADOW
    _blend(frame.luma, 16, sprite.cover, place.opacity // 4, shadow)
    _blend(frame.luma, sprite.luma, sprite.cover, place.opacity, (place.x, place.y))
    block = place.x // 2, place.y // 2
    _blend(frame.blue, sprite.blue, sprite.block_cover, place.opacity, block)
    _blend(frame.red, sprite.red, sprite.block_cover, place.opacity, block)


def _blend(
    plane: np.ndarray, paint: np.ndarray | int, cover: np.ndarray, opacity: int, corner: tuple[int, int]
) -> None:
    """Move a part of a plane towards `paint`, in place; what falls outside is cut off."""
    left, top = corner
    under = plane[top : top + cover.shape[0], left : left + cover.shape[1]]
    inside = slice(under.shape[0]), slice(under.shape[1])
    target = paint if isinstance(paint, int) else paint[inside]
    under += (target - under) * (cover[inside] * opacity >> 8) >> 8
