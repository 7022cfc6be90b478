"""TFRecords made by hand, byte by byte: what TensorFlow writes, without TensorFlow."""

import struct
from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.exchange.crc32c import masked_crc32c


def framed(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record))
    return length + struct.pack("<I", masked_crc32c(length)) + record + struct.pack("<I", masked_crc32c(record))


def varint(value: int) -> bytes:
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def message(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def feature(value: Sequence[bytes] | np.ndarray) -> bytes:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return message(2, message(1, value.astype("<f4").tobytes()))
    if isinstance(value, np.ndarray):
        return message(3, message(1, b"".join(varint(int(each) % 2**64) for each in value)))
    return message(1, b"".join(message(1, part) for part in value))


def features(values: Mapping[str, Sequence[bytes] | np.ndarray]) -> bytes:
    return b"".join(
        message(1, message(1, name.encode()) + message(2, feature(value))) for name, value in values.items()
    )


def example(values: Mapping[str, Sequence[bytes] | np.ndarray]) -> bytes:
    return message(1, features(values))


def sequence(context: Mapping[str, Sequence[bytes] | np.ndarray], lists: Mapping[str, Sequence[bytes]]) -> bytes:
    entries = b"".join(
        message(1, message(1, name.encode()) + message(2, b"".join(message(1, feature([frame])) for frame in frames)))
        for name, frames in lists.items()
    )
    return message(1, features(context)) + message(2, entries)
