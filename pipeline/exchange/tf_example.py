"""Parse tf.train.Example and SequenceExample from protobuf's wire format.

    Example          1: Features              Features         1: map of string to Feature
    SequenceExample  1: Features (context)    Feature          1: bytes list | 2: float list | 3: int64 list
                     2: FeatureLists          FeatureLists     1: map of string to FeatureList (1: Feature, repeated)

Both messages share field 1, so one reader reads both. What is repeated, unknown or nested otherwise is refused; the
message is at most as long as its record, and nothing is allocated beyond the bytes that are there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

MOST_FEATURES = 10_000
Value = list[bytes] | np.ndarray
"""Of a feature: bytes, float32 or int64."""
_VARINT, _I64, _BYTES, _I32 = 0, 1, 2, 5


class RecordError(ValueError):
    """The file is not in the format that it claims; the message says why."""


@dataclass(frozen=True)
class Example:
    """The features of a record."""

    context: dict[str, Value] = field(default_factory=dict)
    sequences: dict[str, list[bytes]] = field(default_factory=dict)
    """Lists of features that are bytes, one each."""


def parse(record: bytes) -> Example:
    """Read a record.

    Raises:
        RecordError: it is neither message.
    """
    example, view = Example(), memoryview(record)
    for number, content in _messages(view):
        if number == 1:
            example.context.update(_features(content))
        elif number == 2:
            example.sequences.update(_feature_lists(content))
    if not example.context:
        raise RecordError("no feature is there: it is no tf.train.Example")
    return example


def _features(message: memoryview) -> dict[str, Value]:
    return {name: _feature(content) for name, content in _map(message)}


def _feature_lists(message: memoryview) -> dict[str, list[bytes]]:
    found = {}
    for name, content in _map(message):
        frames = [_feature(feature) for number, feature in _messages(content) if number == 1]
        if not all(isinstance(frame, list) and len(frame) == 1 for frame in frames):
            continue  # segment labels and the like, which are numbers
        found[name] = [frame[0] for frame in frames]
    return found


def _map(message: memoryview) -> Iterator[tuple[str, memoryview]]:
    """The entries of a map of strings."""
    for count, (number, entry) in enumerate(_messages(message)):
        if count >= MOST_FEATURES:
            raise RecordError(f"more than {MOST_FEATURES:,} features")
        if number != 1:
            continue
        parts = dict(_messages(entry))
        if 1 not in parts or 2 not in parts:
            raise RecordError("a feature without a name or a value")
        try:
            yield bytes(parts[1]).decode("utf-8"), parts[2]
        except UnicodeDecodeError as error:
            raise RecordError("a feature's name is not UTF-8") from error


def _feature(message: memoryview) -> Value:
    kinds = list(_messages(message))
    if len(kinds) > 1:
        raise RecordError("a feature of several kinds")
    if not kinds:
        return []
    number, content = kinds[0]
    if number == 1:
        return [bytes(part) for _, part in _messages(content)]
    if number == 2:
        return np.concatenate([np.zeros(0, np.float32), *_floats(content)])
    if number == 3:
        return np.array([value for part in _integers(content) for value in part], np.int64)
    raise RecordError(f"a feature of the unknown kind {number}")


def _floats(message: memoryview) -> Iterator[np.ndarray]:
    """Packed, or one by one."""
    for _, kind, content in _fields(message):
        if kind not in (_BYTES, _I32) or len(content) % 4:
            raise RecordError("a list of floats that is none")
        yield np.frombuffer(content, "<f4").astype(np.float32)


def _integers(message: memoryview) -> Iterator[list[int]]:
    for _, kind, content in _fields(message):
        if kind not in (_BYTES, _VARINT):
            raise RecordError("a list of whole numbers that is none")
        values, place = [], 0
        while place < len(content):
            value, place = _varint(content, place)
            values.append(value - 2**64 if value >= 2**63 else value)
        yield values


def _messages(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each field; all must be of bytes."""
    for number, kind, content in _fields(message):
        if kind != _BYTES:
            raise RecordError(f"field {number} is no message")
        yield number, content


def _fields(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Number, wire type and content of each field of a message."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        start = place
        if kind == _BYTES:
            length, start = _varint(message, place)
            end = start + length
        elif kind == _VARINT:
            _, end = _varint(message, place)
        elif kind in (_I64, _I32):
            end = place + (8 if kind == _I64 else 4)
        else:
            raise RecordError(f"the wire type {kind} is not of this format")
        if end > len(message) or not number:
            raise RecordError("a field reaches beyond its message")
        yield number, kind, message[start:end]
        place = end


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A whole number of at most ten bytes, and where it ends."""
    value = 0
    for count in range(10):
        if place + count >= len(message):
            raise RecordError("a whole number that does not end")
        byte = message[place + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            if value >= 2**64:
                raise RecordError("a whole number beyond 64 bits")
            return value, place + count + 1
    raise RecordError("a whole number of more than ten bytes")
