"""Values through a pipe, arrays beside the pickle: neither end copies pixels into a pickle or out of one.

numbers of bytes | the value's pickle (protocol 5), which leaves its arrays out | the arrays' bytes, one after the other
"""

import os
import pickle  # noqa: TID251  between this project's own processes
from multiprocessing.connection import Connection
from typing import Any

import numpy as np


def send(pipe: Connection, value: object) -> None:
    """Send a value; nothing has been sent where it cannot be pickled.

    Raises:
        TypeError, AttributeError, pickle.PicklingError: it cannot travel.
        OSError: the pipe is broken.
    """
    beside: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=beside.append)
    arrays = [buffer.raw() for buffer in beside]
    pipe.send([array.nbytes for array in arrays])
    pipe.send_bytes(head)
    for array in arrays:
        while array.nbytes:
            array = array[os.write(pipe.fileno(), array) :]  # noqa: PLW2901


def receive(pipe: Connection) -> Any:
    """The next value that `send` sent.

    Raises:
        EOFError: the other end is gone.
        OSError: the pipe is broken.
    """
    sizes = pipe.recv()
    head = pipe.recv_bytes()
    return pickle.loads(head, buffers=[_read(pipe, size) for size in sizes])  # noqa: S301  from our own process


def _read(pipe: Connection, size: int) -> np.ndarray:
    array = np.empty(size, np.uint8)
    rest = array.data
    while rest.nbytes:
        count = os.readv(pipe.fileno(), [rest])
        if not count:
            raise EOFError
        rest = rest[count:]
    return array
