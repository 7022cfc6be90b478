"""Values through a pipe: what comes out is what went in, in memory of its own."""

import threading
from multiprocessing.connection import Pipe
from typing import NamedTuple

import numpy as np
import pytest

from pipeline.foundations.media import wire


class Pair(NamedTuple):
    samples: np.ndarray
    rate: int


def through(value):
    ours, theirs = Pipe()
    sender = threading.Thread(target=wire.send, args=(theirs, value))
    sender.start()
    received = wire.receive(ours)
    sender.join()
    return received


@pytest.mark.parametrize(
    "array",
    [
        np.arange(3_000_000, dtype=np.uint8).reshape(100, 100, 300),
        np.linspace(0, 1, 7, dtype=np.float32),
        np.zeros((0, 4)),
        np.asfortranarray(np.arange(12).reshape(3, 4)),
        np.arange(24).reshape(4, 6)[::2, ::3],
    ],
    ids=["larger than a pipe", "small", "empty", "columns first", "with gaps"],
)
def test_an_array_arrives_as_it_was_and_can_be_written_to(array):
    found = through(array)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)
    found[...] = 0


def test_arrays_within_other_values_keep_their_places():
    found = through({"pair": Pair(np.ones(5), 16_000), "list": [np.arange(3), "text", b"bytes"]})
    assert found["pair"].rate == 16_000
    assert found["pair"].samples.tolist() == [1.0] * 5
    assert found["list"][0].tolist() == [0, 1, 2]
    assert found["list"][1:] == ["text", b"bytes"]


def test_nothing_is_sent_of_what_cannot_travel():
    ours, theirs = Pipe()
    with pytest.raises(Exception, match="pickle"):
        wire.send(theirs, [np.arange(3), lambda: None])
    assert not ours.poll()


def test_an_end_in_the_middle_of_an_array_is_an_end():
    ours, theirs = Pipe()
    theirs.send([100])
    theirs.send_bytes(b"head")
    theirs.close()
    with pytest.raises(EOFError):
        wire.receive(ours)
