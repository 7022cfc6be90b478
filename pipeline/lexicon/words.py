"""Files of word vectors: GloVe and word2vec in, word2vec's binary format out; no pickle.

They come with or without a header, as text or binary, plain or gzipped; which, their first two lines tell.
"""

import gzip
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.errors import PlainError

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
    if vectors.vector_size != size:
        raise PlainError(f"{path}: found {vectors.vector_size} dimensions, expected words.size {size}")
    if not np.isfinite(vectors.vectors).all():
        raise PlainError(f"{path}: a vector has a number that is not finite")
    return vectors


class _Layout(NamedTuple):
    header: bool
    binary: bool


def _layout(path: Path, size: int) -> _Layout:
    """Tell the format from the first two lines, before anything is allocated that a header asks for."""
    with _open(path) as file:
        first = file.readline(LONGEST_LINE).split()
        if len(first) != 2 or not all(part.isdigit() for part in first):
            return _Layout(header=False, binary=False)
        count, found = (int(part) for part in first)
        if found != size or not 0 < count <= MOST_WORDS:
            raise ValueError(f"its header says {count:,} words x {found}, expected up to {MOST_WORDS:,} x {size}")
        numbers = file.readline(LONGEST_LINE).split()[1:]
    try:
        [float(number) for number in numbers]
    except ValueError:
        return _Layout(header=True, binary=True)
    return _Layout(header=True, binary=len(numbers) != size)


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def save(vectors: "KeyedVectors", path: Path) -> None:
    """Write vectors in word2vec's binary format, in the order they have."""
    vectors.save_word2vec_format(str(path), binary=True)
