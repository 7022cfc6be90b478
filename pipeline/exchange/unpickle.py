"""Safe reader of pickles, for the authors' lexicons and graph, which are published in no other format.

A pickle is a program. Here it may build plain containers and describe NumPy arrays; any other name that it refers to
is refused before it is looked up. Arrays are then made from the described bytes, so neither Python nor NumPy runs
anything from the file. The output is bounded in proportion to the file, since a few bytes that repeat one list could
unfold to more than the memory holds.
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
"""Limits on values, and on bytes of arrays, for any file; a larger file may hold so many for each of its bytes."""
_NPY = b"\x93NUMPY"
_NUMBERS = re.compile(r"[biuf]\d{1,2}")
# Raised by unpickling a damaged or hostile file, beside UnpicklingError.
_UNREADABLE = (EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, ImportError, MemoryError,
               OverflowError, RecursionError)  # fmt: skip


def read_arrays(path: Path) -> Any:
    """Read a pickle of number arrays, numbers, strings, lists, tuples and dicts, or a .npy file of such objects.

    Raises:
        PlainError: the file is absent or damaged, refers to anything else, or unfolds to far more than its own size.
    """
    try:
        with path.open("rb") as file:
            start = _start(file)
            _check_places(file)
            size = file.seek(0, os.SEEK_END)
            file.seek(start)
            found = _ArraysOnly(file).load()
            return _Plain(max(FEW, FACTOR * size)).of(_only_element(found) if start else found)
    except OSError as error:
        raise PlainError(f"{path}: cannot be read: {error.strerror}") from error
    except pickle.UnpicklingError as error:
        raise PlainError(f"{path}: refused: {error}") from error
    except _UNREADABLE as error:
        raise PlainError(f"{path}: not a pickle of arrays, or damaged: {type(error).__name__}: {error}") from error


def _start(file: IO[bytes]) -> int:
    """Seek to the start of the pickle, behind the header of a .npy file, and return it."""
    if file.read(len(_NPY)) != _NPY:
        return file.seek(0)
    major, _ = file.read(2)
    header = file.read(int.from_bytes(file.read(2 if major == 1 else 4), "little"))
    if b"'|O'" not in header:
        raise pickle.UnpicklingError("it is a .npy file of plain numbers; expected one of objects, or a pickle")
    return file.tell()


def _only_element(found: object) -> object:
    """The one object of a .npy file's array."""
    if isinstance(found, _Array) and isinstance(found.value, list) and len(found.value) == 1:
        return found.value[0]
    raise pickle.UnpicklingError("it is a .npy file of several objects; expected one that holds all")


def _bytes(content: object) -> bytes:
    """An array's content, which Python 2 pickled as a string."""
    return content.encode("latin-1") if isinstance(content, str) else bytes(content)  # type: ignore[call-overload]


class _Type:
    """A pickled dtype: a code such as `f8`, then its byte order.

    Also the dtype of objects, which wraps the content of a .npy file; `_Plain` refuses it elsewhere.
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
    """A pickled array: first empty, then with shape, type and bytes."""

    def __init__(self, *_: object) -> None:
        self.value: np.ndarray | list[Any] = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, in_columns, content = state
        if kind.objects:
            self.value = list(content)
            return
        self.value = np.frombuffer(_bytes(content), kind.type).reshape(shape, order="F" if in_columns else "C")


class _Number:
    """A pickled NumPy number: its type and bytes."""

    def __init__(self, kind: _Type, content: bytes) -> None:
        self.value = np.frombuffer(_bytes(content), kind.type)[0]

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("it changes a number")


class _Class:
    """Placeholder for numpy.ndarray, which a pickle passes on and never calls."""


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
    """An unpickler that knows no names outside `_KNOWN`."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="latin-1")  # bytes of Python 2 come as text, one character each

    def find_class(self, module: str, name: str) -> type:
        if f"{module}.{name}" not in _KNOWN:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}; only arrays and plain containers are read")
        return _KNOWN[f"{module}.{name}"]


def _check_places(file: IO[bytes]) -> None:
    """Refuse memo indices far beyond the memo's size, for which the unpickler would allocate memory."""
    for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > FEW + number:
            raise pickle.UnpicklingError(f"it puts a value at place {argument:,}, after {number:,} steps")


class _Plain:
    """Turns pickled records into arrays and numbers, within a limit on values and bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most

    def of(self, value: Any) -> Any:
        """`value` with its records made into arrays and numbers."""
        if isinstance(value, _Array) and isinstance(value.value, list):
            raise pickle.UnpicklingError("it holds values of type 'O8'; expected numbers")
        self._left -= 1 + (np.asarray(value.value).nbytes if isinstance(value, _Array) else 0)
        if self._left < 0:
            raise pickle.UnpicklingError(f"it unfolds to more than {self._most:,} values, far beyond its own size")
        if isinstance(value, _Array | _Number):
            return value.value
        if isinstance(value, dict):
            return {self.of(key): self.of(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(each) for each in value]
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise pickle.UnpicklingError(f"it holds {type(value).__name__}; only arrays and plain containers are read")
