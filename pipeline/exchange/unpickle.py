"""The one place that reads pickles: the authors' published lexicons and graph come as nothing else.

A pickle is a program. Here it may build plain containers, and records of what NumPy arrays it wants; any other
name that it asks for is refused before it is looked up. Arrays are then made from the records' bytes, so that
neither Python nor NumPy runs anything the file says. What comes out is in proportion to the file: a few bytes that
name one list again and again would unfold to more than the memory holds.
"""

import os
import pickle  # noqa: TID251  the one reader, which runs nothing
import pickletools
import re
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipeline.foundations.runtime.errors import PlainError

FEW, FACTOR = 10_000, 16
"""Values, and bytes of arrays, that any file may hold; a larger one so many for each of its bytes."""
_NPY = b"\x93NUMPY"
_NUMBERS = re.compile(r"[biuf]\d{1,2}")
# What unpickling a damaged or hostile file raises, beside UnpicklingError.
_UNREADABLE = (EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, ImportError, MemoryError,
               OverflowError, RecursionError)  # fmt: skip


def read_arrays(path: Path) -> Any:
    """What a pickle of number arrays, numbers, strings, lists, tuples and dicts holds; or a .npy file of such objects.

    Raises:
        PlainError: the file is absent or damaged, asks for anything else, or unfolds to far more than its own size.
    """
    try:
        with path.open("rb") as file:
            start = _start(file)
            _check_places(file)
            size = file.seek(0, os.SEEK_END)
            file.seek(start)
            found = _ArraysOnly(file).load()
            return _Plain(max(FEW, FACTOR * size)).of(_sole(found) if start else found)
    except OSError as error:
        raise PlainError(f"{path}: cannot be read: {error.strerror}") from error
    except pickle.UnpicklingError as error:
        raise PlainError(f"{path}: refused: {error}") from error
    except _UNREADABLE as error:
        raise PlainError(f"{path}: not a pickle of arrays, or damaged: {type(error).__name__}: {error}") from error


def _start(file: IO[bytes]) -> int:
    """Where the pickle begins, and go there: at once, or behind the header of a .npy file of objects."""
    if file.read(len(_NPY)) != _NPY:
        return file.seek(0)
    major, _ = file.read(2)
    header = file.read(int.from_bytes(file.read(2 if major == 1 else 4), "little"))
    if b"'|O'" not in header:
        raise pickle.UnpicklingError("it is a .npy file of plain numbers; expected one of objects, or a pickle")
    return file.tell()


def _sole(found: object) -> object:
    """The one object of a .npy file's array."""
    if isinstance(found, _Array) and isinstance(found.value, list) and len(found.value) == 1:
        return found.value[0]
    raise pickle.UnpicklingError("it is a .npy file of several objects; expected one that holds all")


def _bytes(content: object) -> bytes:
    """An array's content, which Python 2 pickled as a string."""
    return content.encode("latin-1") if isinstance(content, str) else bytes(content)  # type: ignore[call-overload]


class _Type:
    """A number's type as pickled: a code such as `f8`, then its byte order.

    Or that of objects, which a .npy file has around all that it holds; `_Plain` refuses it elsewhere.
    """

    def __init__(self, code: object, *_: object) -> None:
        self.objects = code == "O8"
        if self.objects:
            self.type = np.dtype(object)
            return
        if not isinstance(code, str) or not _NUMBERS.fullmatch(code):
            raise pickle.UnpicklingError(f"it holds values of type {str(code)[:20]!r}; expected numbers")
        self.type = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if not self.objects:
            self.type = self.type.newbyteorder(state[1])


class _Array:
    """An array as pickled: first an empty one, then its shape, type and bytes."""

    def __init__(self, *_: object) -> None:
        self.value: np.ndarray | list[Any] = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, in_columns, content = state
        if kind.objects:
            self.value = list(content)
            return
        self.value = np.frombuffer(_bytes(content), kind.type).reshape(shape, order="F" if in_columns else "C")


class _Number:
    """A NumPy number as pickled: its type and bytes."""

    def __init__(self, kind: _Type, content: bytes) -> None:
        self.value = np.frombuffer(_bytes(content), kind.type)[0]

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("it changes a number")


class _Class:
    """Stands for numpy.ndarray, which a pickle hands over and never calls."""


_KNOWN: dict[str, type] = {
    "collections.OrderedDict": OrderedDict,
    "numpy.ndarray": _Class,
    "numpy.dtype": _Type,
    # NumPy 1 and NumPy 2.
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray._reconstruct": _Array,
    "numpy.core.multiarray.scalar": _Number,
    "numpy._core.multiarray.scalar": _Number,
}


class _ArraysOnly(pickle.Unpickler):
    """An unpickler to which nothing outside `_KNOWN` exists."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="latin-1")  # bytes of Python 2 come as text, one character each

    def find_class(self, module: str, name: str) -> type:
        if f"{module}.{name}" not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}; expected arrays and plain containers alone")
        return _KNOWN[f"{module}.{name}"]


def _check_places(file: IO[bytes]) -> None:
    """Refuse a memo place that is far beyond what was put away: the unpickler makes room for all before it."""
    for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > FEW + number:
            raise pickle.UnpicklingError(f"it puts a value at place {argument:,}, after {number:,} steps")


class _Plain:
    """Makes arrays and numbers of records, up to so many values and bytes of arrays together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most

    def of(self, value: Any) -> Any:
        """`value` with its records made into arrays and numbers."""
        if isinstance(value, _Array) and isinstance(value.value, list):
            raise pickle.UnpicklingError("it holds values of type 'O8'; expected numbers")
        self._left -= 1 + (np.asarray(value.value).nbytes if isinstance(value, _Array) else 0)
        if self._left < 0:
            raise pickle.UnpicklingError(
                f"it unfolds to more than {self._most:,} values, far beyond its own size; expected each value once"
            )
        if isinstance(value, _Array | _Number):
            return value.value
        if isinstance(value, dict):
            return {self.of(key): self.of(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(each) for each in value]
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise pickle.UnpicklingError(f"it holds {type(value).__name__}; expected arrays and plain containers alone")
