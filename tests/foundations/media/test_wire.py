"""Calls and answers: what comes out is what went in, in memory of its own, or the answer is refused."""

import json
import math
import os
import socket
import struct
import threading
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pytest

from pipeline.foundations.media import answers, unchanged, wire
from pipeline.foundations.media.answers import Array
from pipeline.foundations.media.frames import Pictures, read_frames, reader
from pipeline.foundations.media.pipe import Malformed, Pipe
from pipeline.foundations.media.sound import Sound, read_sound
from pipeline.foundations.params import Params

ROOM = 2**28


class Pair(NamedTuple):
    samples: Annotated[np.ndarray, Array("float64", 1)]
    rate: int


class Kinds(NamedTuple):
    number: float
    words: str
    whole: bool
    pieces: list[bytes]


def ends() -> tuple[Pipe, Pipe]:
    ours, theirs = socket.socketpair()
    return Pipe(ours), Pipe(theirs)


def through(value: Any, expected: Any = Any) -> Any:
    ours, theirs = ends()
    sender = threading.Thread(target=wire.send_answer, args=(theirs, value))
    sender.start()
    kind, node = ours.head(room=ROOM)
    received = answers.read_answer(ours, node, expected)
    sender.join()
    assert kind == "value"
    return received


def crafted(node: Any, content: bytes = b"", *, expected: Any = Any, room: int = ROOM) -> Any:
    """What the stage makes of an answer that somebody else wrote."""
    ours, theirs = ends()
    text = json.dumps(["value", node]).encode()
    theirs._end.sendall(struct.pack("<I", len(text)) + text + content)
    theirs.close()
    return answers.read_answer(ours, ours.head(room=room, seconds=5.0)[1], expected)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(3_000_000, dtype=np.uint8).reshape(100, 100, 300),
        np.linspace(0, 1, 7, dtype=np.float32),
        np.zeros((0, 4)),
        np.asfortranarray(np.arange(12).reshape(3, 4)),
        np.arange(24).reshape(4, 6)[::2, ::3],
        np.array(3.5),
    ],
    ids=["larger than a pipe", "small", "empty", "columns first", "with gaps", "without axes"],
)
def test_an_array_arrives_as_it_was_and_can_be_written_to(array: np.ndarray):
    found = through(array)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)
    found[...] = 0


def test_a_record_arrives_as_its_declared_type():
    found = through(Pair(np.ones(5), 16_000), Pair)
    assert isinstance(found, Pair)
    assert found.samples.tolist() == [1.0] * 5
    assert found.rate == 16_000
    assert through(Kinds(0.1, "é\udce9", True, [b"", b"ab"]), Kinds) == Kinds(0.1, "é\udce9", True, [b"", b"ab"])


@pytest.mark.parametrize("value", [None, True, 3, 0.1, -math.inf, "text", b"bytes", [1, [2.5, None]], {"a": [b"x"]}])
def test_plain_values_arrive_without_a_declared_type(value: object):
    assert through(value) == value


def test_nothing_is_sent_of_what_cannot_travel():
    ours, theirs = ends()
    for value in (lambda: None, [np.arange(3), object()], np.array([object()])):
        with pytest.raises(TypeError, match="cannot be sent between processes"):
            wire.send_answer(theirs, value)
    theirs.close()
    with pytest.raises(EOFError):
        ours.head()


@pytest.mark.parametrize(
    ("node", "expected", "reason"),
    [
        ([1, 2, 3], Pair, r"expected Pair"),
        ([{"array": ["<f8", [1]]}, "16000"], Pair, r"found '16000', expected int"),
        ([{"array": ["<f8", [1]]}, True], Pair, r"found 'True', expected int"),
        ([{"array": ["<f4", [1]]}, 1], Pair, r"found an array of float32 with 1 axes"),
        ([{"array": ["<f8", [1, 1]]}, 1], Pair, r"found an array of float64 with 2 axes"),
        ([{"array": ["|O", [1]]}, 1], Pair, r"found an array of '\|O', expected numbers"),
        ([{"array": ["O", [1]]}, 1], Pair, r"expected numbers"),
        ([{"array": [["f8"], [1]]}, 1], Pair, r"expected numbers"),
        ([{"array": ["<f8", [-1]]}, 1], Pair, r"found '-1', expected a length"),
        ([{"array": ["<f8", [2**40]]}, 1], Pair, r"8,796,093,022,208 bytes, expected at most 268,435,456"),
        ([{"array": ["<f8", [1e3]]}, 1], Pair, r"expected a length"),
        ({"bytes": 2**40}, Any, r"1,099,511,627,776 bytes, expected at most"),
        ({"function": "os:system"}, Any, r"found 'function'"),
        ({"record": ["os:system", []]}, Any, r"found 'record'"),
        ({"partial": [1, 2, 3]}, Any, r"found 'partial'"),
        ({"pairs": [[[1], 2]]}, Any, r"no pair of a name and a value"),
        ({"bytes": 1, "array": 2}, Any, r"found 'nothing known'"),
        ([[[]]] * 3, list[bytes], r"expected bytes"),
    ],
)
def test_an_answer_of_another_kind_is_refused(node: Any, expected: Any, reason: str):
    with pytest.raises(Malformed, match=reason):
        crafted(node, bytes(64), expected=expected)


def test_lists_in_lists_have_an_end():
    node: list = []
    for _ in range(100):
        node = [node]
    with pytest.raises(Malformed, match="lists in lists without end"):
        crafted(node)


@pytest.mark.parametrize("head", [b"\x80\x04.", b"", b"[" * 100_000, b"\xff\xfe", b"NaN of a kind", b"1" * 10_000])
def test_a_head_that_is_none_is_refused(head: bytes):
    ours, theirs = ends()
    threading.Thread(target=theirs._end.sendall, args=(struct.pack("<I", len(head)) + head,)).start()
    with pytest.raises(Malformed, match="no head"):
        ours.head()


def test_a_head_of_any_length_is_not_waited_for():
    ours, theirs = ends()
    theirs._end.sendall(struct.pack("<I", 2**32 - 1))
    with pytest.raises(Malformed, match="4,294,967,295 bytes, expected at most 16,777,212"):
        ours.head()


def test_what_comes_too_slowly_is_not_waited_for():
    ours, theirs = ends()
    theirs._end.sendall(struct.pack("<I", 100) + b"[")
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        ours.head(seconds=0.3)
    assert time.monotonic() - begin < 5


def test_an_end_in_the_middle_of_an_array_is_an_end():
    with pytest.raises(EOFError):
        crafted({"array": ["|u1", [100]]}, b"only a few")


def double(value: int, *, path: Path, more: Any, section: Any) -> Any:
    return value, path, more, section


def nested(value: int, *, section: Any, file: Any) -> Any:
    return value, section, file


def test_a_call_arrives_with_its_function_its_parameters_and_its_file(tmp_path: Path, params: Params):
    (tmp_path / "a").write_bytes(b"content")
    ours, theirs = ends()
    with (tmp_path / "a").open("rb", buffering=0) as file:
        call = wire.encode_call(
            double,
            (3,),
            {"path": file, "more": partial(nested, 1, section=params.clips, file=file), "section": params.frames},
        )
        ours.send(call.head, call.content, call.files)
    found = wire.receive_call(theirs, ROOM)
    value, path, more, section = found.function(*found.args, **found.kwargs)
    assert (value, section) == (3, params.frames)
    assert more()[:2] == (1, params.clips)
    assert path.read() == b"content"
    assert [path, more()[2]] in (found.files, found.files[::-1])
    assert {__name__, "pipeline.foundations.params.learning"} == call.modules
    for each in found.files:
        each.close()


def test_a_function_without_a_name_cannot_be_called():
    with pytest.raises(TypeError, match="it cannot be imported by name"):
        wire.encode_call(lambda: None, (), {})


@pytest.mark.parametrize(
    ("function", "args", "expected"),
    [
        (read_frames, (), Pictures),
        (partial(read_sound, rate=16_000), (), Sound),
        (unchanged.read, ("file", partial(read_sound, rate=16_000), "media"), Sound),
        (len, (), Any),
        (os.getpid, (), Any),
    ],
)
def test_what_a_function_returns_is_known_from_its_signature(function: Any, args: Any, expected: Any):
    assert answers.return_type(function, args) is expected


def test_the_reader_of_testing_returns_pictures(params: Params):
    assert answers.return_type(unchanged.read, ("file", reader(params.frames, 64), "media")) is Pictures


def test_text_does_not_reach_a_terminal_as_commands():
    assert answers.printable("a\x1b[31m\tb\nc\udce9") == "a\ufffd[31m\ufffdb\nc\ufffd"
    assert len(answers.printable("x" * 10_000)) == 2000
    with pytest.raises(Malformed):
        answers.printable(3)
