"""What each action looks like: a shape, a texture, a pair of colours and a motion, dealt by the seed.

Difficulty is dealt too: some actions are larger and stronger in colour than others, whatever their group.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.dataset.sample.cooccurrence import ACTIONS
from pipeline.dataset.sample.motion import MOTIONS
from pipeline.dataset.sample.shapes import SHAPES, TEXTURES
from pipeline.dataset.sample.sine import ONE, cosine_of, sine_of
from pipeline.dataset.sample.traits import deal, spread
from pipeline.foundations.tables.seeds import generator

SIDES = (36, 50)
"""Smallest and largest side of an action's square, in pixels of a frame whose short side is SHORT_SIDE."""
SHORT_SIDE = 128
OPACITIES = (165, 256)
"""Faintest and strongest contrast with the background, of 256."""
FINE = 3
"""Samples along a pixel's side: edges are smooth."""

COLOURS: Mapping[str, tuple[int, int]] = {  # of the body and of its marks, as 0xRRGGBB
    "poppy": (0xE5383B, 0xFFE8D6),
    "tangerine": (0xF98A1C, 0x5F0F40),
    "sunflower": (0xFFD60A, 0x1D3557),
    "lime": (0x9BE22D, 0x14452F),
    "emerald": (0x12A150, 0xF1FAEE),
    "lagoon": (0x12CBC4, 0x7A1E48),
    "sky": (0x4CA9FF, 0xFFF3B0),
    "cobalt": (0x2040D0, 0xFFB703),
    "violet": (0x7B2CBF, 0xB8F2E6),
    "fuchsia": (0xF72585, 0x10002B),
    "chalk": (0xF8F9FA, 0xD00000),
    "ink": (0x14151A, 0x80ED99),
}


Pixels = NDArray[np.int32]


class Look(NamedTuple):
    """How an action is drawn."""

    shape: str
    texture: str
    colour: str
    motion: str
    side: int
    """Pixels, where the frame's short side is SHORT_SIDE."""
    opacity: int
    """Of 256."""


class Sprite(NamedTuple):
    """A drawn action: the luma of S x S pixels, and the chroma of the 2 x 2 blocks that these fall on."""

    cover: Pixels
    """Of the pixels, 0 to 256."""
    luma: Pixels
    block_cover: Pixels
    """Of the blocks, 0 to 256."""
    blue: Pixels
    """Chroma U of the blocks."""
    red: Pixels
    """Chroma V of the blocks."""


@cache
def looks(seed: int) -> Mapping[str, Look]:
    """The look of each action."""
    rng = generator(seed, "looks")
    kinds = {"shape": list(SHAPES), "colour": list(COLOURS), "texture": list(TEXTURES), "motion": list(MOTIONS)}
    traits = deal(rng, ACTIONS, kinds)
    sides = spread(rng, len(ACTIONS), *SIDES)
    opacities = spread(rng, len(ACTIONS), *OPACITIES)
    return {
        action: Look(**trait, side=side, opacity=opacity)
        for action, trait, side, opacity in zip(ACTIONS, traits, sides, opacities, strict=True)
    }


@lru_cache(maxsize=1024)
def draw(look: Look, side: int, turn: int, *, odd: tuple[int, int]) -> Sprite:
    """Draw a look at a size and an angle.

    Args:
        look: its shape, texture and colours are drawn.
        side: S, pixels.
        turn: angle in steps of `sine.TURN`, clockwise.
        odd: 1 where the sprite's first row, and its first column, will be an odd one of the frame; else 0.
    """
    steps = (np.arange(side * FINE, dtype=np.int32) * 2 + 1) * 1024 // (side * FINE) - 1024
    x, y = steps[None, :], steps[:, None]
    cos, sin = cosine_of(turn), sine_of(turn)
    x, y = (cos * x + sin * y) // ONE, (cos * y - sin * x) // ONE
    inside = SHAPES[look.shape](x, y)
    rim = inside & ~SHAPES[look.shape](x * 5 // 4, y * 5 // 4)
    marks = inside & (TEXTURES[look.texture](x, y) | rim)
    cover = _means(inside.astype(np.int32) * 256, FINE)
    marked = _means(marks.astype(np.int32) * 256, FINE) * 256 // np.maximum(cover, 1)
    body, mark = (yuv(colour) for colour in COLOURS[look.colour])
    luma, blue, red = (low + ((high - low) * marked >> 8) for low, high in zip(body, mark, strict=True))
    blocks = _in_blocks(cover, odd)
    return Sprite(cover, luma, blocks, *(_in_blocks(cover * u, odd) // np.maximum(blocks, 1) for u in (blue, red)))


def _in_blocks(plane: Pixels, odd: tuple[int, int]) -> Pixels:
    """Means over the frame's 2 x 2 blocks; outside the sprite is nothing."""
    edges = [(first, (first + size) % 2) for first, size in zip(odd, plane.shape, strict=True)]
    return _means(np.pad(plane, edges), 2)


def _means(plane: Pixels, block: int) -> Pixels:
    """Means over blocks of `block` x `block`, rounded down."""
    rows, columns = plane.shape
    blocks = plane.reshape(rows // block, block, columns // block, block)
    sums: Pixels = blocks.sum(axis=(1, 3), dtype=np.int32)
    return sums // block**2


def yuv(colour: int) -> tuple[int, int, int]:
    """0xRRGGBB as ITU-R BT.601 luma and chroma in the limited range, by its usual 8-bit integer formula."""
    red, green, blue = colour >> 16, colour >> 8 & 255, colour & 255
    return (
        16 + (66 * red + 129 * green + 25 * blue + 128 >> 8),
        128 + (-38 * red - 74 * green + 112 * blue + 128 >> 8),
        128 + (112 * red - 94 * green - 18 * blue + 128 >> 8),
    )
