"""Encode calls and answers without pickle: nothing that arrives is executed.

Plain values are JSON. An answer is decoded by the declared return type of the function, so it never names a class or a
function; lengths, dtypes and shapes are checked before memory is allocated. A call, which comes from the stage, may
also name functions and sections of parameters, and carry open files.
"""

import importlib
import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from io import FileIO
from typing import Annotated, Any, NamedTuple, TypeVar

import numpy as np

from pipeline.foundations.media.pipe import Malformed, Pipe
from pipeline.foundations.params import Section

DEPTH = 32
"""Largest nesting depth of lists in an answer."""
_PLAIN = (bool, int, float, str)


class Array(NamedTuple):
    """Annotation of an array in a return type: dtype, by NumPy's name, and number of axes."""

    dtype: str
    axes: int


class Opened(FileIO):
    """An open video, which replaces its path in a decoding process."""


class Call(NamedTuple):
    """A call received by the decoding process."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    files: list[Opened]
    """Those among the arguments."""


class _Encoder:
    """Encodes values as JSON, and collects binary content, files and module names."""

    def __init__(self, *, call: bool) -> None:
        self._call = call
        self.content: list[memoryview] = []
        self.files: list[int] = []
        self.modules: dict[str, None] = {}

    def node(self, value: Any) -> Any:
        if value is None or isinstance(value, _PLAIN):
            return value if value is None or type(value) in _PLAIN else _base(value)
        if isinstance(value, np.ndarray):
            if value.dtype.kind not in "biuf":
                raise TypeError(f"an array of {value.dtype} cannot be sent between processes")
            if value.size:
                self.content.append(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
            return {"array": [value.dtype.str, list(value.shape)]}
        if isinstance(value, bytes | bytearray):
            self.content.append(memoryview(value))
            return {"bytes": len(value)}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            nodes = [self.node(each) for each in value]
            return {"record": [self._name(type(value)), nodes]} if self._call else nodes
        if isinstance(value, list | tuple | set | frozenset):
            return [self.node(each) for each in value]
        if isinstance(value, Mapping):
            return {"pairs": [[self.node(key), self.node(each)] for key, each in value.items()]}
        if self._call:
            return self._of_a_call(value)
        raise TypeError(f"{type(value).__name__} cannot be sent between processes")

    def _of_a_call(self, value: Any) -> Any:
        if isinstance(value, FileIO):
            self.files.append(value.fileno())
            return {"file": len(self.files) - 1}
        if isinstance(value, Section):
            return {"section": [self._name(type(value)), self.node(value.model_dump())]}
        if isinstance(value, partial):
            return {"partial": [self.node(each) for each in (value.func, value.args, value.keywords)]}
        if callable(value):
            return {"function": self._name(value)}
        raise TypeError(f"{type(value).__name__} cannot be sent between processes")

    def _name(self, value: Any) -> str:
        name, module = str(value.__qualname__), str(value.__module__)
        if "<" in name:
            raise TypeError(f"{name} cannot be sent between processes: it cannot be imported by name")
        self.modules[module] = None
        return f"{module}:{name}"


def _base(value: Any) -> Any:
    """A number or string of a subclass (an enumeration) as its base type."""
    return next(kind(value) for kind in _PLAIN if isinstance(value, kind))


class EncodedCall(NamedTuple):
    """A call, ready to be sent."""

    head: Any
    content: list[memoryview]
    files: list[int]
    modules: frozenset[str]
    """Modules that the decoding process must have imported."""


def encode_call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> EncodedCall:
    """Encode a call.

    Raises:
        TypeError: an argument cannot be sent, or a function cannot be imported by its name.
    """
    encoder = _Encoder(call=True)
    head = [encoder.node(function), [encoder.node(each) for each in args],
            [[key, encoder.node(each)] for key, each in kwargs.items()]]  # fmt: skip
    return EncodedCall(head, encoder.content, encoder.files, frozenset(encoder.modules) - {"builtins"})


def send_answer(pipe: Pipe, value: Any) -> None:
    """Send a function's result; nothing is sent if it cannot be encoded.

    Raises:
        TypeError: it cannot.
        OSError: the other end is gone.
    """
    encoder = _Encoder(call=False)
    pipe.send(["value", encoder.node(value)], encoder.content)


def receive_call(pipe: Pipe, room: int) -> Call:
    """The next call, which comes from the stage and is trusted; its modules have been imported.

    Raises:
        EOFError: the stage is gone.
    """
    descriptors: list[int] = []
    function, args, kwargs = pipe.head(descriptors, room=room)
    files = [Opened(descriptor) for descriptor in descriptors]
    value = partial(_called, pipe, files)
    return Call(value(function), tuple(map(value, args)), {key: value(each) for key, each in kwargs}, files)


def _called(pipe: Pipe, files: Sequence[Opened], node: Any) -> Any:
    """A value of a call."""
    value = partial(_called, pipe, files)
    if isinstance(node, list):
        return [value(each) for each in node]
    if not isinstance(node, dict):
        return node
    ((kind, content),) = node.items()
    match kind:
        case "file":
            return files[content]
        case "function":
            return named(content)
        case "partial":
            function, args, kwargs = map(value, content)
            return partial(function, *args, **kwargs)
        case "pairs":
            return {value(key): value(each) for key, each in content}
        case "section":
            return named(content[0]).model_validate(value(content[1]))
        case "record":
            return named(content[0])(*map(value, content[1]))
    return _plain(pipe, node)


def named(name: str) -> Any:
    """A function or class of a module that has been imported, by `module:name`."""
    module, _, path = name.partition(":")
    found: Any = sys.modules[module]
    for part in path.split("."):
        found = getattr(found, part)
    return found


def import_modules(names: Sequence[str]) -> None:
    """Import the modules of calls.

    Raises:
        ImportError: a module is unknown here.
    """
    for name in names:
        importlib.import_module(name)


def read_answer(pipe: Pipe, head: Any, expected: Any) -> Any:
    """The value of an answer whose head has come.

    Args:
        pipe: where the rest of it comes.
        head: what was sent for the value.
        expected: the type that the function declares; `Any` for plain values alone.

    Raises:
        Malformed: it is not of that type, or larger than its room.
        EOFError, TimeoutError: as `Pipe.head`.
    """
    return _expected(pipe, head, expected)


def return_type(function: Callable[..., Any], args: Sequence[Any]) -> Any:
    """The declared return type of a function; for a generic one (`unchanged.read`) that of its function argument."""
    called: Any = function
    while isinstance(called, partial):
        called, args = called.func, (*called.args, *args)
    try:
        found = typing.get_type_hints(called, include_extras=True).get("return", Any)
    except (TypeError, NameError):  # a built-in, or names that are there for the type checker alone
        return Any
    if not isinstance(found, TypeVar):
        return found
    inner = next((each for each in args if callable(each)), None)
    return Any if inner is None else return_type(inner, ())


def _expected(pipe: Pipe, node: Any, expected: Any) -> Any:
    """A value of a declared type: plain, a list, an array, or a NamedTuple of such."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if expected is Any:
        return _plain(pipe, node)
    if origin is Annotated and isinstance(arguments[1], Array):
        return _array(pipe, node, arguments[1])
    if origin is list and isinstance(node, list):
        return [_expected(pipe, each, arguments[0]) for each in node]
    if hasattr(expected, "_fields") and isinstance(node, list) and len(node) == len(expected._fields):
        hints = typing.get_type_hints(expected, include_extras=True)
        return expected(
            *(_expected(pipe, each, hints[name]) for name, each in zip(expected._fields, node, strict=True))
        )
    if expected is bytes:
        return bytes(pipe.bytes(_whole(_content(node, "bytes"))))
    if expected is float and type(node) in (int, float):
        return float(node)
    if expected in _PLAIN and type(node) is expected:
        return node
    raise Malformed(f"found {str(node)[:60]!r}, expected {getattr(expected, '__name__', expected)}")


def _plain(pipe: Pipe, node: Any, depth: int = 0) -> Any:
    """A value of no declared type: what JSON has, bytes, arrays, and lists and pairs of them."""
    if depth > DEPTH:
        raise Malformed("lists in lists without end")
    if isinstance(node, list):
        return [_plain(pipe, each, depth + 1) for each in node]
    if not isinstance(node, dict):
        return node
    ((kind, content),) = node.items() if len(node) == 1 else (("nothing known", None),)
    match kind:
        case "bytes":
            return bytes(pipe.bytes(_whole(content)))
        case "array":
            return _array(pipe, node, None)
        case "pairs" if isinstance(content, list):
            return dict(_pairs(pipe, content, depth + 1))
    raise Malformed(f"found {kind!r}")


def _pairs(pipe: Pipe, content: list[Any], depth: int) -> Iterator[tuple[Any, Any]]:
    for pair in content:
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str | int)):
            raise Malformed("found no pair of a name and a value")
        yield pair[0], _plain(pipe, pair[1], depth)


def _array(pipe: Pipe, node: Any, declared: Array | None) -> np.ndarray:
    content = _content(node, "array")
    if not (isinstance(content, list) and len(content) == 2 and isinstance(content[1], list)):
        raise Malformed("found an array without dtype and shape")
    name, shape = content
    try:
        dtype = np.dtype(name) if isinstance(name, str) and len(name) <= 4 else None
    except TypeError:
        dtype = None
    if dtype is None or dtype.kind not in "biuf":
        raise Malformed(f"found an array of {str(name)[:20]!r}, expected numbers")
    if declared and (dtype != np.dtype(declared.dtype) or len(shape) != declared.axes):
        raise Malformed(f"found an array of {dtype} with {len(shape)} axes, expected {declared}")
    return pipe.array(dtype, [_whole(length) for length in shape])


def _content(node: Any, kind: str) -> Any:
    if isinstance(node, dict) and list(node) == [kind]:
        return node[kind]
    raise Malformed(f"found {str(node)[:60]!r}, expected {kind}")


def _whole(value: Any) -> int:
    if type(value) is int and 0 <= value < 2**48:
        return value
    raise Malformed(f"found {str(value)[:20]!r}, expected a length")


def printable(value: Any, most: int = 2000) -> str:
    """Text with control characters replaced, at most `most` characters long."""
    if not isinstance(value, str):
        raise Malformed("found no text")
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in value[:most])
