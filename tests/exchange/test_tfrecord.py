import gzip
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exchange.tf_example import RecordError, parse
from pipeline.exchange.tfrecord import MOST_RECORD, read_tfrecord
from pipeline.foundations.runtime.errors import PlainError
from tests.exchange.records import example, framed, message, sequence, varint

RGB, AUDIO = np.linspace(-1, 1, 8, dtype=np.float32), np.linspace(0, 1, 4, dtype=np.float32)
VIDEO = example({"id": [b"ab12"], "labels": np.array([3, 17]), "mean_rgb": RGB, "mean_audio": AUDIO})
UNKNOWN = message(1, message(1, b"b") + message(2, message(9, b"")))
SECONDS = [bytes(range(start, start + 4)) for start in (0, 100, 200)]
HEARD = sequence({"video_id": [b"-x_y"], "labels": np.array([5])}, {"audio_embedding": SECONDS})


def write(path, *records, pack=bytes):
    path.write_bytes(pack(b"".join(framed(record) for record in records)))
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_videos_of_youtube8m_and_audioset_are_read(tmp_path, pack):
    seen, heard = read_tfrecord(write(tmp_path / "a.tfrecord", VIDEO, HEARD, pack=pack))
    assert (seen.video_id, seen.labels) == ("ab12", (3, 17))
    np.testing.assert_array_equal(seen.visual, RGB[None])
    np.testing.assert_array_equal(seen.sound, AUDIO[None])
    assert (heard.video_id, heard.labels, heard.visual) == ("-x_y", (5,), None)
    np.testing.assert_array_equal(heard.sound, np.array([list(second) for second in SECONDS], np.uint8))


def test_tensorflow_reads_what_is_made_by_hand(tmp_path):
    """So that the records of these tests are TFRecords, and no invention that our reader shares."""
    tensorflow = pytest.importorskip("tensorflow", reason="TensorFlow is there with EXTRAS=hub")
    path = write(tmp_path / "a.tfrecord", VIDEO)
    (record,) = tensorflow.data.TFRecordDataset(str(path)).as_numpy_iterator()
    read = tensorflow.train.Example.FromString(record).features.feature
    assert list(read["labels"].int64_list.value) == [3, 17]
    assert list(read["mean_rgb"].float_list.value) == RGB.tolist()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda raw: raw[:-1], "ends in the middle of a record"),
        (lambda raw: raw + b"\x01", "ends in the middle of a length"),
        (lambda raw: bytes([raw[0] ^ 1]) + raw[1:], "the checksum of a length differs"),
        (lambda raw: raw[:20] + bytes([raw[20] ^ 1]) + raw[21:], "the checksum of a record differs"),
        (lambda raw: b"not a record at all", "the checksum of a length differs"),
    ],
)
def test_a_damaged_file_is_named_with_its_record(tmp_path, change, sentence):
    path = write(tmp_path / "a.tfrecord", VIDEO)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(PlainError, match=sentence) as caught:
        list(read_tfrecord(path))
    assert str(path) in str(caught.value)


def test_a_length_beyond_all_bounds_allocates_nothing(tmp_path):
    from pipeline.exchange.crc32c import masked_crc32c

    length = struct.pack("<Q", MOST_RECORD + 1)
    (tmp_path / "a").write_bytes(length + struct.pack("<I", masked_crc32c(length)))
    with pytest.raises(PlainError, match="more than"):
        list(read_tfrecord(tmp_path / "a"))


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (example({"labels": np.array([1])}), "expected one id"),
        (example({"id": [b"a", b"b"]}), "expected one id"),
        (example({"id": [b"\xff"]}), "not UTF-8"),
        (example({"id": [b"a"], "labels": [b"x"]}), "no whole numbers"),
        (sequence({"id": [b"a"]}, {"rgb": [b"12", b"34"]}), "a vector a frame"),
        (sequence({"id": [b"a"]}, {"audio": [b"12", b"345"]}), "different lengths"),
        (b"", "no feature"),
        (message(1, message(1, message(1, b"a"))), "without a name or a value"),
        (varint(1 << 3 | 2) + varint(100) + b"short", "beyond its message"),
        (b"\xff" * 11, "more than ten bytes"),
        (b"\x80", "does not end"),
        (varint(1 << 3 | 3), "wire type"),
        (
            example({"id": [b"a"]}) + message(1, message(1, message(1, b"b") + message(2, message(9, b"")))),
            "unknown kind",
        ),
    ],
)
def test_a_record_that_is_no_video_is_a_plain_error(tmp_path, record, sentence):
    with pytest.raises(PlainError, match=sentence):
        list(read_tfrecord(write(tmp_path / "a", record)))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else(content):
    with suppress(RecordError):
        parse(content)


@given(st.integers(0, len(HEARD) - 1), st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused(place, byte):
    with suppress(RecordError):
        parse(HEARD[:place] + bytes([byte]) + HEARD[place + 1 :])


def test_negative_labels_keep_their_sign():
    assert parse(example({"id": [b"a"], "labels": np.array([-1, 2**62])})).context["labels"].tolist() == [-1, 2**62]
