"""Read TFRecords of YouTube-8M and AudioSet without TensorFlow: framing, checksums, tf.train.Example, SequenceExample.

    length (8 bytes, little-endian) | its CRC32C, masked | record | its CRC32C, masked

Files come from outside: every length is bounded before anything is read, both checksums are compared, and a message
that is not what it claims to be is an error that names the file and the record.
"""

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from pipeline.exchange.crc32c import masked_crc32c
from pipeline.exchange.feature_arrays import Record
from pipeline.exchange.tf_example import Example, RecordError, parse
from pipeline.foundations.runtime.errors import PlainError

MOST_RECORD = 64 * 2**20
"""Bytes of a record; a frame-level video of YouTube-8M has 0.4 MB."""
IDS, LABELS = ("id", "video_id"), "labels"
VISUAL, SOUND = ("mean_rgb", "rgb"), ("mean_audio", "audio", "audio_embedding")
"""Features by frame (bytes) or by video (floats), as the two data sets call them."""
_HEAD, _CRC = struct.Struct("<QI"), struct.Struct("<I")
_GZIP = b"\x1f\x8b"


def read_tfrecord(path: Path) -> Iterator[Record]:
    """The videos of a file, plain or gzipped, in its order.

    A visual vector is the video's, one; sound may come by the second.

    Raises:
        PlainError: it cannot be read, a checksum differs, or a record is not an Example with an id.
    """
    number = 0
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
            for number, record in enumerate(_read_records(file), start=1):  # noqa: B007  the error below names it
                yield _video(parse(record))
    except (OSError, EOFError, gzip.zlib.error) as error:  # type: ignore[attr-defined]
        raise PlainError(f"{path}: cannot be read after record {number:,}: {error}") from error
    except RecordError as error:
        raise PlainError(f"{path}: not TFRecords of videos: record {number + 1:,} or its content: {error}") from error


def _read_records(file: BinaryIO) -> Iterator[bytes]:
    """The records of a file; both checksums are compared.

    Raises:
        RecordError: the framing is not TFRecord's.
    """
    while head := file.read(_HEAD.size):
        if len(head) < _HEAD.size:
            raise RecordError("the file ends in the middle of a length")
        length, checksum = _HEAD.unpack(head)
        if masked_crc32c(head[:8]) != checksum:
            raise RecordError("the checksum of a length differs")
        if length > MOST_RECORD:
            raise RecordError(f"a record says it has {length:,} bytes, more than {MOST_RECORD:,}")
        body = file.read(length + _CRC.size)
        if len(body) < length + _CRC.size:
            raise RecordError("the file ends in the middle of a record")
        record = body[:length]
        if masked_crc32c(record) != _CRC.unpack(body[length:])[0]:
            raise RecordError("the checksum of a record differs")
        yield record


def _video(example: Example) -> Record:
    ids = next((example.context[name] for name in IDS if name in example.context), None)
    if not isinstance(ids, list) or len(ids) != 1:
        raise RecordError(f"found the features {sorted(example.context)}, expected one id as {' or '.join(IDS)}")
    try:
        video_id = ids[0].decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError(f"the id {ids[0]!r} is not UTF-8") from error
    labels = example.context.get(LABELS, np.zeros(0, np.int64))
    if not isinstance(labels, np.ndarray) or labels.dtype != np.int64:
        raise RecordError(f"video {video_id}: labels are no whole numbers")
    visual, sound = (_vectors(example, names) for names in (VISUAL, SOUND))
    if visual is not None and len(visual) > 1:
        raise RecordError(f"video {video_id}: has a vector a frame; import the video-level records")
    return Record(video_id, tuple(labels.tolist()), visual, sound)


def _vectors(example: Example, names: tuple[str, ...]) -> np.ndarray | None:
    """The first of `names` that the example has, as rows: float32 by video, uint8 by frame."""
    for name in names:
        if name in example.sequences:
            frames = example.sequences[name]
            if len({len(frame) for frame in frames}) > 1 or not frames or not frames[0]:
                raise RecordError(f"{name}: frames are of different lengths, or there are none")
            return np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), -1)
        found = example.context.get(name)
        if isinstance(found, np.ndarray) and found.dtype == np.float32 and len(found):
            return found[None]
    return None
