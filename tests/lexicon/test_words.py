"""Files of word vectors in every shape they come in, and those that are none."""

import gzip
import struct

import numpy as np
import pytest

from pipeline.foundations.runtime.errors import PlainError
from pipeline.lexicon import words

VECTORS = {"singing": (1.5, -2.0, 0.25), "tür": (0.0, 1e-7, 3.0), "a\u00a0b": (9.0, 8.0, 7.0)}


def text(header: str) -> bytes:
    lines = [f"{word} {' '.join(repr(number) for number in numbers)}" for word, numbers in VECTORS.items()]
    return "\n".join([header, *lines] if header else lines).encode() + b"\n"


def binary(newline: bytes) -> bytes:
    """As the original word2vec.c writes it, a newline behind each vector, or as gensim does, none."""
    rows = [word.encode() + b" " + struct.pack("<3f", *numbers) + newline for word, numbers in VECTORS.items()]
    return b"3 3\n" + b"".join(rows)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("glove.txt", text("")),
        ("word2vec.txt", text("3 3")),
        ("word2vec.bin", binary(b"")),
        ("original.bin", binary(b"\n")),
        ("glove.txt.gz", gzip.compress(text(""))),
        ("word2vec.gz", gzip.compress(text("3 3"))),
        ("word2vec.bin.gz", gzip.compress(binary(b""))),
    ],
    ids=["glove", "word2vec", "binary", "original", "glove-gz", "word2vec-gz", "binary-gz"],  # gzip holds the time
)
def test_every_format_gives_the_same_vectors(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    vectors = words.load(tmp_path / name, 3)
    assert vectors.index_to_key == list(VECTORS)
    for word, numbers in VECTORS.items():
        np.testing.assert_array_equal(vectors[word], np.array(numbers, np.float32))
        assert vectors[word].dtype == np.float32


def test_what_is_saved_is_word2vecs_binary_format_in_the_same_order(tmp_path):
    (tmp_path / "glove.txt").write_bytes(text(""))
    words.save(words.load(tmp_path / "glove.txt", 3), tmp_path / "words.bin")
    assert (tmp_path / "words.bin").read_bytes() == binary(b"")


def test_the_bundled_glove_vectors_are_read_and_saved_whole(tmp_path, root):
    vectors = words.load(root / "data/external/glove.6B.100d.mmit.txt", 100)
    words.save(vectors, tmp_path / "words.bin")
    again = words.load(tmp_path / "words.bin", 100)
    assert len(vectors) == 334
    assert again.index_to_key == vectors.index_to_key
    np.testing.assert_array_equal(again.vectors, vectors.vectors)
    np.testing.assert_allclose(again["adult"][:3], [0.3386, 0.2425, 0.10569], rtol=1e-6)  # the file's first line


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "its first line has 0 parts, expected a header, or a word and 3 numbers"),
        (text("3 3")[:-30], "cannot be read as GloVe or word2vec"),
        (binary(b"")[:-5], "cannot be read as GloVe or word2vec"),
        (b"PK\x03\x04\x00\x01\n\x02\x03", "expected a header, or a word and 3 numbers"),
        (b"<html>\n<body>please sign in</body>\n", "expected a header, or a word and 3 numbers"),
        (b"one 1 2 3\ntwo 1 2\n", "cannot be read as GloVe or word2vec"),
        (text("3 3").replace(b" 0.25", b" x"), "cannot be read as GloVe or word2vec"),
        (text("3 3").replace(b" 0.25", b""), "cannot be read as GloVe or word2vec"),
        (b"one 1 2\ntwo 1 2\n", "its first line has 3 parts, expected a header, or a word and 3 numbers"),
        (b"3 2\none 1 2\n", "its header says 3 words x 2"),
        (b"999999999999 3\none 1 2 3\n", "its header says 999,999,999,999 words x 3"),
        (b"0 3\n", "its header says 0 words"),
        (b"one 1 nan 3\n", "not finite"),
        (b"one 1 inf 3\n", "not finite"),
    ],
)
def test_a_file_that_is_none_is_named_with_its_fault(tmp_path, content, fault):
    (tmp_path / "vectors.txt").write_bytes(content)
    with pytest.raises(PlainError, match=rf"vectors\.txt: .*{fault}"):
        words.load(tmp_path / "vectors.txt", 3)


def test_an_absent_file_and_a_false_gzip_are_named(tmp_path):
    (tmp_path / "false.gz").write_bytes(text(""))
    for name in ("absent.txt", "false.gz"):
        with pytest.raises(PlainError, match=rf"{name}: cannot be read"):
            words.load(tmp_path / name, 3)


@pytest.mark.parametrize(
    "content",
    [text(""), text("3 3"), binary(b""), gzip.compress(text(""))],
    ids=["glove", "word2vec", "binary", "glove-gz"],  # gzip holds the time
)
def test_the_size_of_vectors_is_told_by_the_first_line(tmp_path, content):
    path = tmp_path / ("vectors.gz" if content[:2] == b"\x1f\x8b" else "vectors")
    path.write_bytes(content)
    assert words.size_of(path) == 3


@pytest.mark.parametrize("content", [b"", b"one two\n"])
def test_a_file_without_vectors_has_no_size(tmp_path, content):
    (tmp_path / "vectors").write_bytes(content)
    with pytest.raises(PlainError, match=r"vectors: its first line has \d parts"):
        words.size_of(tmp_path / "vectors")
