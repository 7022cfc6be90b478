"""Read answers of the decoding process, which is untrusted: nothing that arrives is executed.

An answer is decoded by the declared return type of the function, so it never names a class or a function; lengths,
dtypes and shapes are checked before memory is allocated.
"""

import typing
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple, TypeVar

import numpy as np

from pipeline.foundations.media.pipe import Malformed, Pipe

DEPTH = 32
"""Largest nesting depth of lists in an answer."""
PLAIN = (bool, int, float, str)
"""Types that stand for themselves in JSON, beside None."""


class Array(NamedTuple):
    """Annotation of an array in a return type: dtype, by NumPy's name, and number of axes."""

    dtype: str
    axes: int


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
        return plain(pipe, node)
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
    if expected in PLAIN and type(node) is expected:
        return node
    raise Malformed(f"found {str(node)[:60]!r}, expected {getattr(expected, '__name__', expected)}")


def plain(pipe: Pipe, node: Any, depth: int = 0) -> Any:
    """A value of no declared type: what JSON has, bytes, arrays, and lists and pairs of them."""
    if depth > DEPTH:
        raise Malformed("lists in lists without end")
    if isinstance(node, list):
        return [plain(pipe, each, depth + 1) for each in node]
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
        yield pair[0], plain(pipe, pair[1], depth)


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
