"""The connection to a decoding process: messages of a JSON head and binary content.

    length of the head | the head | the bytes of its arrays and byte strings, one after the other

Memory is allocated only for sizes within bounds, and arrays are read in place, without copies.
"""

import json
import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

MOST_HEAD = 16 * 2**20
"""Bytes of a head."""
_LENGTH = struct.Struct("<I")
_FILES = 4


class Malformed(Exception):  # noqa: N818  what arrived, not what went wrong here
    """The message is not valid, or not of the expected type."""


class Pipe:
    """One end of the connection."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._deadline: float | None = None
        self._room = 0

    def fileno(self) -> int:
        """Of the descriptor."""
        return self._end.fileno()

    def close(self) -> None:
        """Close this end, which the other sees."""
        self._end.close()

    def send(self, head: object, content: Sequence[memoryview] = (), files: Sequence[int] = ()) -> None:
        """Send a head, its binary content, and open files.

        Raises:
            OSError: the other end is gone.
        """
        text = json.dumps(head, separators=(",", ":")).encode()
        start = memoryview(_LENGTH.pack(len(text)) + text)
        if files:
            start = start[socket.send_fds(self._end, [start], list(files)) :]
        for part in (start, *content):
            while part.nbytes:
                part = part[os.write(self.fileno(), part) :]  # noqa: PLW2901

    def head(self, files: list[int] | None = None, *, seconds: float | None = None, room: int = MOST_HEAD) -> Any:
        """The next head.

        Args:
            files: gets the descriptors that come along.
            seconds: until when all that belongs to it must have come; None waits.
            room: bytes that may belong to it.

        Raises:
            EOFError: the other end is gone.
            Malformed: it is none, or too large.
            TimeoutError: it did not come in time.
        """
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._room = MOST_HEAD
        if files is None:
            start = bytes(self.bytes(_LENGTH.size))
        else:
            first, found, _, _ = socket.recv_fds(self._end, _LENGTH.size, _FILES)
            files += found
            start = first + bytes(self.bytes(_LENGTH.size - len(first))) if first else b""
        if not start:
            raise EOFError
        text = bytes(self.bytes(_LENGTH.unpack(start)[0]))
        self._room = room
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Malformed(f"no head: {error}") from error

    def bytes(self, count: int) -> bytearray:
        """So many bytes.

        Raises:
            EOFError, Malformed, TimeoutError: as `head`.
        """
        self._make_room(count)
        content = bytearray(count)
        self._fill(memoryview(content))
        return content

    def array(self, dtype: np.dtype, shape: Sequence[int]) -> np.ndarray:
        """An array, its elements row by row.

        Raises:
            EOFError, Malformed, TimeoutError: as `head`.
        """
        size = dtype.itemsize
        for length in shape:
            size *= length
        self._make_room(size)
        array = np.empty(shape, dtype)
        if size:
            self._fill(array.reshape(-1).view(np.uint8).data)
        return array

    def _make_room(self, count: int) -> None:
        if not 0 <= count <= self._room:
            raise Malformed(f"{count:,} bytes, expected at most {self._room:,}")
        self._room -= count

    def _fill(self, rest: memoryview) -> None:
        while rest.nbytes:
            if self._deadline is not None:
                poll = select.poll()
                poll.register(self._end, select.POLLIN)
                if not poll.poll(max(0.0, self._deadline - time.monotonic()) * 1000):
                    raise TimeoutError
            count = os.readv(self.fileno(), [rest])
            if not count:
                raise EOFError
            rest = rest[count:]
