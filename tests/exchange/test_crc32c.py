"""Values of RFC 3720, B.4, and the definition, bit by bit, at every way that blocks can end."""

import numpy as np
import pytest

from pipeline.exchange.crc32c import BLOCK, POLYNOMIAL, crc32c, masked_crc32c


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_published_values(content, expected):
    assert crc32c(content) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 3, BLOCK + 4, 2 * BLOCK + 17])
def test_blocks_are_joined_as_the_definition_says(size):
    content = np.random.default_rng(size).bytes(size)
    state = 0xFFFFFFFF
    for byte in content:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (POLYNOMIAL if state & 1 else 0)
    assert crc32c(content) == state ^ 0xFFFFFFFF


def test_the_mask_is_tfrecords():
    """By hand: 0xE3069283 rotated right by 15 is 0x2507C60D; plus 0xA282EAD8."""
    assert masked_crc32c(b"123456789") == 0x2507C60D + 0xA282EAD8
