"""Files of word vectors: GloVe and word2vec in, word2vec's binary format out; no pickle.

Files have a header or not, are text or binary, plain or gzipped, which is detected from their first two lines.
"""

import gzip
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.foundations.runtime.errors import PlainError

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

LONGEST_LINE = 2**20
MOST_WORDS = 20_000_000


def load(path: Path, size: int) -> "KeyedVectors":
    """Read a GloVe or word2vec file, float32.

    Args:
        path: text or binary, with a header or without; gzipped where its name ends in .gz.
        size: Q, expected dimensions.

    Raises:
        PlainError: the file is absent, not of these formats, cut off, or of another size, or a number is not finite.
    """
    from gensim.models import KeyedVectors

    try:
        layout = _layout(path, size)
        vectors = KeyedVectors.load_word2vec_format(
            str(path), binary=layout.binary, no_header=not layout.header, datatype=np.float32
        )
    except (OSError, ValueError, EOFError, IndexError, MemoryError) as error:
        raise PlainError(f"{path}: cannot be read as GloVe or word2vec vectors: {error}") from error
    if not np.isfinite(vectors.vectors).all():
        raise PlainError(f"{path}: a vector has a number that is not finite")
    return vectors


def size_of(path: Path) -> int:
    """Q, the dimensions of the vectors of a GloVe or word2vec file, by its first line.

    Raises:
        PlainError: the file is absent, or its first line is neither a header nor a word with numbers.
    """
    try:
        with _open(path) as file:
            parts = file.readline(LONGEST_LINE).split()
    except (OSError, EOFError) as error:
        raise PlainError(f"{path}: cannot be read as GloVe or word2vec vectors: {error}") from error
    if len(parts) == 2 and all(part.isdigit() for part in parts):
        return int(parts[1])
    if len(parts) < 3:
        raise PlainError(f"{path}: its first line has {len(parts)} parts, expected a header, or a word and its numbers")
    return len(parts) - 1


def known(path: Path, size: int) -> set[str]:
    """The words that a GloVe or word2vec file has vectors of, without keeping the vectors.

    Raises:
        PlainError: the file is absent, or not of these formats.
    """
    try:
        layout = _layout(path, size)
        with _open(path) as file:
            count = int(file.readline(LONGEST_LINE).split()[0]) if layout.header else None
            if not layout.binary:
                return {line.split(b" ", 1)[0].decode(errors="replace") for line in file}
            return {_skip(file, size) for _ in range(count or 0)}
    except (OSError, ValueError, EOFError, IndexError) as error:
        raise PlainError(f"{path}: cannot be read as GloVe or word2vec vectors: {error}") from error


def _skip(file: IO[bytes], size: int) -> str:
    """Read the word at this place of a binary file and skip its vector."""
    word = bytearray()
    while (byte := file.read(1)) not in (b" ", b""):
        word += byte
    if len(file.read(4 * size)) < 4 * size:
        raise EOFError("it is cut off")
    return word.lstrip(b"\n").decode(errors="replace")


class _Layout(NamedTuple):
    header: bool
    binary: bool


def _layout(path: Path, size: int) -> _Layout:
    """Detect the format from the first two lines, before a header can make anything be allocated."""
    with _open(path) as file:
        first, second = (file.readline(LONGEST_LINE) for _ in range(2))
    header = first.split()
    if len(header) == 2 and all(part.isdigit() for part in header):
        count, found = (int(part) for part in header)
        if found != size or not 0 < count <= MOST_WORDS:
            raise ValueError(f"its header says {count:,} words x {found}, expected up to {MOST_WORDS:,} x {size}")
        return _Layout(header=True, binary=not _is_text(second))
    if len(header) != size + 1 or not _is_text(first):
        raise ValueError(f"its first line has {len(header)} parts, expected a header, or a word and {size} numbers")
    return _Layout(header=False, binary=False)


def _is_text(line: bytes) -> bool:
    """Whether a line is text; binary vectors contain bytes that text does not."""
    try:
        return all(part.isprintable() for part in line.decode().split())
    except UnicodeDecodeError:
        return False


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def save(vectors: "KeyedVectors", path: Path) -> None:
    """Write vectors in word2vec's binary format, in the order they have."""
    vectors.save_word2vec_format(str(path), binary=True)
