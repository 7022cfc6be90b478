"""The text lexicon on real GloVe vectors, against means taken by hand from the file's own lines."""

import re

import numpy as np
import pytest

from pipeline.dataset.annotations import words_of
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.lexicon import text, words


@pytest.fixture(scope="module")
def glove(root):
    return root / "data/external/glove.6B.100d.mmit.txt"


@pytest.fixture(scope="module")
def lines(glove):
    """The file as it is written: word, then numbers; read without gensim."""
    rows = [line.split() for line in glove.read_text().splitlines()]
    return {row[0]: np.array([float(number) for number in row[1:]]) for row in rows}


def vocabulary(names: list[str]):
    return tables.from_columns(
        "actions", {"action_id": range(len(names)), "action": names, "words": [words_of(name) for name in names]}
    )


def build(path, names, size=100):
    return text.build(vocabulary(names), path, size)


def test_an_action_of_one_word_has_its_vector(glove, lines):
    built = build(glove, ["singing"])
    np.testing.assert_allclose(tables.vectors(built.table["form"])[0], lines["singing"], rtol=1e-6)
    assert built.table.column_names == ["action_id", "action", "form", "words", "missing"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [("playing+music", ["playing", "music"]), ("hitting/colliding", ["hitting", "colliding"])],
)
def test_an_action_of_two_words_has_their_mean(glove, lines, name, parts):
    built = build(glove, [name])
    np.testing.assert_allclose(
        tables.vectors(built.table["form"])[0], (lines[parts[0]] + lines[parts[1]]) / 2, rtol=1e-6, atol=1e-7
    )
    assert built.table["words"].to_pylist() == [parts]
    assert built.missing == ()


def test_a_word_without_a_vector_is_listed_and_left_out_of_the_mean(glove, lines):
    built = build(glove, ["singing", "singing+xyzzy", "dancing/xyzzy"])
    forms = tables.vectors(built.table["form"])
    np.testing.assert_allclose(forms[1], lines["singing"], rtol=1e-6)
    np.testing.assert_allclose(forms[2], lines["dancing"], rtol=1e-6)
    assert built.table["missing"].to_pylist() == [[], ["xyzzy"], ["xyzzy"]]
    assert built.missing == ("xyzzy",)


def test_actions_without_any_vector_are_named_and_zeros(glove, lines):
    built = build(glove, ["xyzzy", "singing", "plugh+foobarx"])
    assert built.bare == ("xyzzy", "plugh+foobarx")
    assert built.missing == ("xyzzy", "plugh", "foobarx")
    zeros, singing, more = tables.vectors(built.table["form"])
    assert not zeros.any()
    assert not more.any()
    np.testing.assert_allclose(singing, lines["singing"], rtol=1e-6)


@pytest.mark.parametrize("form", ["text", "header", "binary"])
def test_what_a_file_knows_is_told_without_its_vectors(tmp_path, form):
    content = "größer 1 2\nsinging 3 4\nrock-climbing 5 6\n"
    path = tmp_path / "words.txt"
    path.write_text(("3 2\n" if form == "header" else "") + content)
    if form == "binary":
        words.save(words.load(path, 2), tmp_path / "words.bin")
        path = tmp_path / "words.bin"
    known = words.known(path, 2)
    assert known == {"größer", "singing", "rock-climbing"} == set(words.load(path, 2).index_to_key)
    names = {
        "growing": ["größer"],
        "rock-climbing": ["rock-climbing"],
        "rock-singing": ["rock-singing"],
        "ski": ["ski"],
    }
    assert text.lacking(names, known) == ["ski"]


def test_a_cut_off_file_of_vectors_is_a_plain_error(tmp_path):
    (tmp_path / "words.txt").write_text("one 1 2\ntwo 3 4\n")
    words.save(words.load(tmp_path / "words.txt", 2), tmp_path / "words.bin")
    whole = (tmp_path / "words.bin").read_bytes()
    (tmp_path / "words.bin").write_bytes(whole[:-3])
    with pytest.raises(PlainError, match=r"words\.bin: cannot be read as GloVe or word2vec vectors: it is cut off"):
        words.known(tmp_path / "words.bin", 2)


@pytest.mark.parametrize("file", ["mmit_v1_categories.txt", "mmit_v2_categories.txt"])
def test_every_action_of_moments_in_time_has_all_its_words(glove, root, lines, file):
    names = (root / "data/external" / file).read_text().split("\n")
    names = [name.rsplit(",", 1)[0] for name in names if name]
    built = build(glove, names)
    assert built.missing == ()
    expected = [np.mean([lines[word] for word in words_of(name)], axis=0) for name in names]
    np.testing.assert_allclose(tables.vectors(built.table["form"]), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("file", ["mmit_v1_categories.txt", "mmit_v2_categories.txt"])
def test_the_words_of_moments_in_time_are_between_its_signs_and_nothing_else(root, file):
    """As they were before punctuation was left out of other vocabularies' words."""
    for name in (root / "data/external" / file).read_text().splitlines():
        assert words_of(name) == [word for word in re.split(r"[+/_\s]+", name.lower()) if word]


@pytest.mark.parametrize(
    ("name", "used", "missing"),
    [
        ("dunking (ball)", ["dunking", "ball"], []),
        ("rock, paper", ["rock", "paper"], []),
        ("high-five", ["high-five"], []),  # has a vector as a whole
        ("pull-ups", ["pull", "ups"], []),
        ("tug-of-war", ["tug", "war"], ["of"]),
        ("high-xyzzy", ["high"], ["xyzzy"]),
        ("xyzzy-plugh rock", ["rock"], ["xyzzy-plugh"]),
    ],
)
def test_a_hyphenated_word_is_tried_whole_and_then_by_its_parts(tmp_path, name, used, missing):
    known = {"dunking": 1, "ball": 2, "rock": 4, "paper": 8, "high-five": 16, "high": 32, "five": 64, "pull": 128,
             "ups": 256, "tug": 512, "war": 1024}  # fmt: skip
    (tmp_path / "words.txt").write_text("".join(f"{word} {value} 0\n" for word, value in known.items()))
    built = build(tmp_path / "words.txt", [name], size=2)
    assert tables.vectors(built.table["form"])[0].tolist() == [np.mean([known[word] for word in used]), 0]
    assert built.table["missing"].to_pylist() == [missing]
    assert built.table["words"].to_pylist() == [words_of(name)]


def test_names_embedded_whole_are_looked_up_whole(tmp_path):
    (tmp_path / "names.txt").write_text("name:playing+music 1 2\nname:Holding_some_food 3 4\nmusic 9 9\n")
    words.save(words.load(tmp_path / "names.txt", 2), tmp_path / "words.bin")
    built = build(tmp_path / "words.bin", ["playing+music", "Holding some food"], size=2)
    np.testing.assert_array_equal(tables.vectors(built.table["form"]), [[1, 2], [3, 4]])
    assert built.table["words"].to_pylist()[0] == ["playing", "music"]


def test_the_table_is_written_and_read_again(glove, tmp_path):
    table = build(glove, ["singing", "playing+music"]).table
    tables.write("text", tmp_path / "text.parquet", table)
    assert tables.read("text", tmp_path / "text.parquet").equals(table)
