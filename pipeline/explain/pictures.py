"""Frames under a heat map: a strip of some of them, and an animation.

WebP by Pillow: the same bytes each time. Shapes: K frames, Y x X pixels.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw

from pipeline.dataset.sample.places import Place
from pipeline.foundations.runtime.files import atomic_write

COLOURS = "inferno"
STRENGTH = 0.72
"""Opacity of the hottest place."""
GAP = 3
"""Pixels between two pictures of a strip."""
QUALITY = 88
MILLISECONDS = 1000
OUTLINE = (255, 255, 255)


def overlay(pictures_KYXC: np.ndarray, heat_KYX: np.ndarray, *, hottest: float) -> np.ndarray:
    """Pictures under their heat, uint8: clear where there is none, bright where it is `hottest`.

    Args:
        pictures_KYXC: uint8.
        heat_KYX: of any size; drawn as large as the pictures.
        hottest: heat at full strength; 0 leaves the pictures as they are, in grey.
    """
    height, width = pictures_KYXC.shape[1:3]
    part_KYX = np.stack([_resized(heat_YX, width, height) for heat_YX in heat_KYX]) / (hottest or 1.0)
    part_KYX = np.clip(part_KYX, 0.0, 1.0)[..., None]
    grey_KYX = (pictures_KYXC @ np.array([0.299, 0.587, 0.114]))[..., None]
    colours = 255.0 * mpl.colormaps[COLOURS](part_KYX[..., 0])[..., :3]
    alpha = STRENGTH * part_KYX
    return np.asarray(((1 - alpha) * grey_KYX + alpha * colours).round().astype(np.uint8))


def _resized(heat_YX: np.ndarray, width: int, height: int) -> np.ndarray:
    picture = Image.fromarray(heat_YX.astype(np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def outlined(picture_YXC: np.ndarray, place: Place) -> np.ndarray:
    """A picture with the edges of a square drawn in."""
    picture = Image.fromarray(picture_YXC)
    height, width = picture_YXC.shape[:2]
    edges = (place.left * width, place.top * height, place.right * width - 1, place.bottom * height - 1)
    ImageDraw.Draw(picture).rectangle([round(edge) for edge in edges], outline=OUTLINE)
    return np.asarray(picture)


def with_places(pictures_KYXC: np.ndarray, ticks_K: np.ndarray, places: Sequence[Place], fps: float) -> np.ndarray:
    """Pictures with the action's square drawn in; as they are where no place is known."""
    if not places:
        return pictures_KYXC
    squares = [at_time(places, tick / fps) for tick in ticks_K.tolist()]
    return np.stack([outlined(picture, square) for picture, square in zip(pictures_KYXC, squares, strict=True)])


def at_time(places: Sequence[Place], seconds: float) -> Place:
    """The square at any time, on a straight line between the two that are known around it."""
    times = [place.seconds for place in places]
    edges = (np.interp(seconds, times, [place[edge] for place in places]) for edge in range(1, 5))
    return Place(seconds, *(float(edge) for edge in edges))


def spread(count: int, shown: int) -> np.ndarray:
    """Which of `count` frames a strip of `shown` pictures has: evenly spread, first and last among them."""
    return np.linspace(0, count - 1, min(shown, count)).round().astype(np.int64)


def write_strip(path: Path, pictures_KYXC: np.ndarray) -> None:
    """Write pictures side by side."""
    opaque = np.pad(pictures_KYXC, ((0, 0), (0, 0), (0, 0), (0, 1)), constant_values=255)
    apart = np.pad(opaque, ((0, 0), (0, 0), (0, GAP), (0, 0)))  # clear between two, on any paper
    strip = np.concatenate(list(apart), axis=1)[:, :-GAP]
    with atomic_write(path) as draft:
        Image.fromarray(strip).save(draft, format="WEBP", quality=QUALITY)


def write_moving(path: Path, pictures_KYXC: np.ndarray, ticks_K: np.ndarray, fps: float) -> None:
    """Write pictures one after the other, at the video's own speed, again and again."""
    gaps = np.diff(ticks_K, append=ticks_K[-1] + round(fps / 2))  # half a second of rest before it starts again
    first, *others = (Image.fromarray(picture) for picture in pictures_KYXC)
    with atomic_write(path) as draft:
        first.save(
            draft,
            format="WEBP",
            save_all=True,
            append_images=others,
            duration=[round(MILLISECONDS * gap / fps) for gap in gaps.tolist()],
            loop=0,
            quality=QUALITY,
        )
