"""Pickles: arrays and plain containers come through, anything else is refused before it acts."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from pipeline.exchange.unpickle import read_arrays
from pipeline.foundations.runtime.errors import PlainError

LEXICON = OrderedDict(
    label=OrderedDict([(0, ["a/x.wav"]), (1, [])]), audio={"a/x.wav": np.linspace(-2, 2, 6)}, more=(1, 2.5, None, True)
)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("protocol", [3, 4])
def test_what_the_authors_files_are_made_of(tmp_path, protocol):
    read = read_arrays(write(tmp_path / "l.pkl", pickle.dumps(LEXICON, protocol)))
    assert read["label"] == {0: ["a/x.wav"], 1: []}
    assert read["more"] == [1, 2.5, None, True]
    np.testing.assert_array_equal(read["audio"]["a/x.wav"], LEXICON["audio"]["a/x.wav"])


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(5, dtype=">f8"),
        np.arange(5, dtype=np.float32)[::2],
        np.array([[True, False]]),
        np.zeros((0, 3)),
        np.array(np.nan),
    ],
    ids=["plain", "columns", "big-endian", "strided", "bool", "empty", "scalar"],
)
def test_arrays_of_every_layout(tmp_path, array):
    read = read_arrays(write(tmp_path / "a.pkl", pickle.dumps(array, 4)))
    np.testing.assert_array_equal(read, array)
    assert read.shape == array.shape


def test_names_of_numpy_1_and_2(tmp_path):
    """The authors wrote theirs with NumPy 1, whose modules had other names."""
    for core in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        content = pickle.dumps([np.arange(3.0), np.float64(1.5)], 3).replace(b"numpy._core.multiarray", core)
        array, number = read_arrays(write(tmp_path / "n.pkl", content))
        assert array.tolist() == [0.0, 1.0, 2.0]
        assert number == 1.5


class Call:
    """Pickles as the call of a function."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function", [os.mkdir, Path.mkdir, eval, getattr, np.fromfile, np.memmap, pickle.loads])
def test_a_call_is_refused_and_not_made(tmp_path, function):
    content = pickle.dumps({"audio": Call(function, str(tmp_path / "owned"))}, 4)
    with pytest.raises(PlainError, match="refused: it refers to"):
        read_arrays(write(tmp_path / "p.pkl", content))
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "value",
    [
        np.array([{}, []], dtype=object),
        np.array(["text"]),
        np.array([b"x"]),
        np.zeros(2, dtype=[("a", "f8")]),
        1j,
        {1, 2},
    ],
    ids=["objects", "text", "bytes", "records", "complex", "set"],
)
def test_other_values_are_refused(tmp_path, value):
    with pytest.raises(PlainError, match=r"refused: it (holds|refers to)"):
        read_arrays(write(tmp_path / "o.pkl", pickle.dumps(value, 4)))


def test_bytes_that_do_not_fill_the_shape(tmp_path):
    """NumPy's own reader would be asked to trust the shape."""
    content = pickle.dumps(np.arange(4.0), 3)
    assert content.count(b"K\x04\x85") == 1
    with pytest.raises(PlainError, match="damaged: ValueError"):
        read_arrays(write(tmp_path / "s.pkl", content.replace(b"K\x04\x85", b"K\x7f\x85")))


def test_the_type_cannot_be_made_one_of_objects(tmp_path):
    content = pickle.dumps(np.arange(4.0), 3).replace(b"f8", b"O8")
    with pytest.raises(PlainError, match="refused: it holds values of type 'O8'"):
        read_arrays(write(tmp_path / "t.pkl", content))


def test_a_list_that_holds_itself(tmp_path):
    loop: list = []
    loop.append(loop)
    with pytest.raises(PlainError, match="damaged: RecursionError"):
        read_arrays(write(tmp_path / "r.pkl", pickle.dumps(loop, 4)))


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x80\x04.", pickle.dumps([1, 2], 4)[:-3], b"\x80\x04\x8e" + 8 * b"\xff"]
)
def test_damaged_files(tmp_path, content):
    with pytest.raises(PlainError, match=r"d\.pkl: "):
        read_arrays(write(tmp_path / "d.pkl", content))


def test_an_absent_file(tmp_path):
    with pytest.raises(PlainError, match="cannot be read: No such file"):
        read_arrays(tmp_path / "absent.pkl")


def shared(levels: int) -> list:
    """A list of two that are one list of two that are one list ..., in a few bytes."""
    value: list = [0, 0]
    for _ in range(levels):
        value = [value, value]
    return value


@pytest.mark.parametrize("levels", [14, 20, 60])
def test_a_few_bytes_do_not_unfold_without_end(tmp_path, levels):
    content = pickle.dumps(shared(levels), 4)
    assert len(content) < 600
    with pytest.raises(PlainError, match=r"refused: it unfolds to more than 1\d,\d+ values, far beyond its own size"):
        read_arrays(write(tmp_path / "s.pkl", content))


def test_nor_do_a_few_arrays(tmp_path):
    array = np.zeros(1000)
    with pytest.raises(PlainError, match="refused: it unfolds to more than"):
        read_arrays(write(tmp_path / "a.pkl", pickle.dumps([array] * 1000, 4)))


def test_what_is_shared_within_reason_is_read(tmp_path):
    array = np.arange(300.0)
    found = read_arrays(write(tmp_path / "a.pkl", pickle.dumps(dict.fromkeys("abcde", array), 4)))
    assert all(found[name].tolist() == array.tolist() for name in "abcde")
    assert read_arrays(write(tmp_path / "n.pkl", pickle.dumps(list(range(200_000)), 4))) == list(range(200_000))


def test_a_place_beyond_all_others_takes_no_memory(tmp_path):
    content = b"\x80\x04]r" + (2**31 - 1).to_bytes(4, "little") + b"."
    with pytest.raises(PlainError, match=r"refused: it puts a value at place 2,147,483,647, after 2 steps"):
        read_arrays(write(tmp_path / "p.pkl", content))
