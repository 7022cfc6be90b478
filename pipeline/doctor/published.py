"""Published counts of the data sets, to tell a complete copy from an incomplete one.

V1: Section 4.1 of the paper. V2: as its annotations are published. The numbers of videos with several actions are
exact and of the training split; those of all videos and labels are rounded.
"""

from typing import NamedTuple


class Published(NamedTuple):
    """Counts of one data set."""

    name: str
    videos: float
    labels: float
    two_or_more: int
    """Training videos with two actions or more."""
    three_or_more: int
    mini: int | None
    """Videos of its mini training split."""


BY_ACTIONS = {
    313: Published("M-MiT V1", 1.02e6, 2.01e6, 553_535, 257_491, 93_206),
    292: Published("M-MiT V2", 1.00e6, 1.92e6, 525_542, 243_083, None),
}
"""By the size of the vocabulary."""
ROUNDED = 0.02
"""Relative; how far a count may be from one that is published in two or three digits."""
