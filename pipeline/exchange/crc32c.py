"""CRC32C (Castagnoli) as TFRecords use it, by NumPy: no library in the lock has it.

A CRC is linear over XOR: each byte contributes an entry of a table for its distance from the end. Blocks of 4,096 bytes
are looked up at once, and the state is moved on between them.
"""

from functools import cache

import numpy as np

POLYNOMIAL = 0x82F63B78
"""Reflected, as RFC 3720 gives it."""
BLOCK = 4096
_ALL = 0xFFFFFFFF
_MASK = 0xA282EAD8


def masked_crc32c(content: bytes) -> int:
    """The masked checksum of a TFRecord: rotated by 15 bits, plus a constant."""
    crc = crc32c(content)
    return (((crc >> 15) | (crc << 17)) + _MASK) & _ALL


def crc32c(content: bytes) -> int:
    """The CRC32C of some bytes."""
    tables = _tables()
    state = _ALL
    for start in range(0, len(content), BLOCK):
        block = np.frombuffer(content, np.uint8, min(BLOCK, len(content) - start), start)
        state = _advanced(state, len(block)) ^ int(
            np.bitwise_xor.reduce(tables[len(block) - 1 :: -1][np.arange(len(block)), block])
        )
    return state ^ _ALL


def _advanced(state: int, count: int) -> int:
    """The CRC state after `count` more zero bytes."""
    tables = _tables()
    moved = state >> (8 * count) if count < 4 else 0
    for place in range(min(4, count)):
        moved ^= int(tables[count - 1 - place][state >> (8 * place) & 0xFF])
    return moved


@cache
def _tables() -> np.ndarray:
    """BLOCK x 256: the contribution of a byte that 0, 1, ... bytes follow."""
    first = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        first = np.where(first & 1, first >> 1 ^ np.uint32(POLYNOMIAL), first >> 1)
    tables = np.empty((BLOCK, 256), np.uint32)
    tables[0] = first
    for distance in range(1, BLOCK):
        tables[distance] = tables[distance - 1] >> 8 ^ first[tables[distance - 1] & 0xFF]
    return tables
