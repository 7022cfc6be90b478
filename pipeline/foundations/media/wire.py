"""Encode calls and answers without pickle, and read calls.

Plain values are JSON. A call, which comes from the stage and is trusted, may also name functions and sections of
parameters, and carry open files.
"""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import FileIO
from typing import Any, NamedTuple

import numpy as np

from pipeline.foundations.media.answers import PLAIN, plain
from pipeline.foundations.media.pipe import Pipe
from pipeline.foundations.params import Section


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
        if value is None or isinstance(value, PLAIN):
            return value if value is None or type(value) in PLAIN else _base(value)
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
    return next(kind(value) for kind in PLAIN if isinstance(value, kind))


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
    return plain(pipe, node)


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
