"""The authors' files into our tables, from files made in their layout."""

import pickle
import random
from collections import OrderedDict

import numpy as np
import pytest

from pipeline.exchange.released import UNKNOWN, import_adjacency, import_audio, import_mini, import_text
from pipeline.foundations.params import Adjacency
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables

NAMES = ["frying", "playing+music", "stirring"]
SOUNDS = {0: ["frying/a.wav", "frying/b.wav"], 1: ["music/c.wav", "frying/b.wav", "music/d.wav"], 2: ["stirring/e.wav"]}


@pytest.fixture
def forms():
    """One whitened form a sound file."""
    names = sorted({name for sounds in SOUNDS.values() for name in sounds})
    random_numbers = np.random.default_rng(3)
    return {name: random_numbers.normal(size=384).clip(-2, 2) for name in names}


@pytest.fixture
def lexicon(tmp_path, forms):
    """As `gen_audio_lexicon.py` writes it."""
    content = OrderedDict(label=OrderedDict(SOUNDS), audio=OrderedDict(forms))
    path = tmp_path / "audio-lexicon-v1-mini.pkl"
    path.write_bytes(pickle.dumps(content, protocol=4))
    return path


@pytest.fixture
def actions():
    words = [name.split("+") for name in NAMES]
    return tables.from_columns("actions", {"action_id": np.arange(3, dtype=np.int16), "action": NAMES, "words": words})


def test_all_forms_of_the_audio_lexicon(tmp_path, lexicon, forms):
    assert import_audio(lexicon, tmp_path / "audio.parquet", actions=3, seed=None) == 6
    table = tables.read("audio", tmp_path / "audio.parquet")
    pairs = list(zip(table["action_id"].to_pylist(), table["video_id"].to_pylist(), strict=True))
    assert pairs == sorted((action, name.removesuffix(".wav")) for action, names in SOUNDS.items() for name in names)
    row = pairs.index((1, "frying/b"))
    np.testing.assert_array_equal(tables.vectors(table["form"])[row], forms["frying/b.wav"].astype(np.float32))


@pytest.mark.parametrize("seed", range(6))
def test_the_drawn_form_is_the_one_that_pythons_generator_gives(tmp_path, lexicon, seed):
    """As released: one generator, seeded once, an index for each action in turn."""
    random.seed(seed)
    expected = [SOUNDS[action][random.randint(0, len(SOUNDS[action]) - 1)] for action in range(3)]
    assert import_audio(lexicon, tmp_path / "audio.parquet", actions=3, seed=seed) == 3
    table = tables.read("audio", tmp_path / "audio.parquet")
    assert table["action_id"].to_pylist() == [0, 1, 2]
    assert table["video_id"].to_pylist() == [name.removesuffix(".wav") for name in expected]


def test_an_audio_lexicon_of_another_vocabulary(tmp_path, lexicon):
    with pytest.raises(PlainError, match="expected dicts `label`, of the actions 0 to 3"):
        import_audio(lexicon, tmp_path / "audio.parquet", actions=4, seed=0)


@pytest.mark.parametrize(
    ("form", "found"),
    [(np.zeros(128), r"float64 \(128,\)"), (np.full(384, np.nan), r"float64 \(384,\)"), (np.zeros(384, int), "int64")],
)
def test_a_form_that_is_none(tmp_path, forms, form, found):
    content = {"label": SOUNDS, "audio": forms | {"music/c.wav": form}}
    path = tmp_path / "audio.pkl"
    path.write_bytes(pickle.dumps(content, protocol=4))
    with pytest.raises(PlainError, match=rf"music/c\.wav: found {found}.*expected 384 finite numbers"):
        import_audio(path, tmp_path / "audio.parquet", actions=3, seed=None)
    assert not (tmp_path / "audio.parquet").exists()


def test_the_text_lexicon(tmp_path, actions):
    vectors = np.random.default_rng(1).normal(size=(3, 300))
    (tmp_path / "text.pkl").write_bytes(pickle.dumps(vectors, protocol=4))
    assert import_text(tmp_path / "text.pkl", tmp_path / "text.parquet", actions=actions) == 300
    table = tables.read("text", tmp_path / "text.parquet")
    np.testing.assert_array_equal(tables.vectors(table["form"]), vectors.astype(np.float32))
    assert table["action"].to_pylist() == NAMES
    assert table["words"].to_pylist()[1] == ["playing", "music"]
    with pytest.raises(PlainError, match=r"found float64 \(3, 300\), expected a matrix of 2 rows"):
        import_text(tmp_path / "text.pkl", tmp_path / "text.parquet", actions=actions.slice(0, 2))


def test_the_graph(tmp_path, params):
    """psi as `gen_graph_adj.py` writes it: 0 on the diagonal, NaN where an action never occurs."""
    psi = np.array([[0, 0.4, 0.1], [0.9, 0, 0.39], [np.nan, np.nan, np.nan]])
    (tmp_path / "graph.pkl").write_bytes(pickle.dumps(psi, protocol=4))
    released = params.adjacency.model_dump() | {"threshold": 0.4, "comparison": "at_least", "symmetrize": "none"}
    target = tmp_path / "adjacency.parquet"
    assert import_adjacency(tmp_path / "graph.pkl", target, actions=3, params=Adjacency.model_validate(released)) == 2
    table = tables.read("adjacency", target)
    edge = table["edge"].to_numpy().reshape(3, 3)
    assert edge.tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    stored = table["psi"].to_numpy().reshape(3, 3)
    assert np.isnan(stored[2]).all()
    assert stored[0].tolist() == [1.0, 0.4, 0.1]
    assert set(table["pair_count"].to_pylist()) == {UNKNOWN}


def test_a_graph_that_is_none(tmp_path, params):
    (tmp_path / "graph.pkl").write_bytes(pickle.dumps(np.full((3, 3), 1.5), protocol=4))
    with pytest.raises(PlainError, match="expected 3 x 3 probabilities"):
        import_adjacency(tmp_path / "graph.pkl", tmp_path / "a.parquet", actions=3, params=params.adjacency)


@pytest.fixture
def videos():
    ids = ["frying/a", "frying/b", "music/c"]
    return tables.from_columns(
        "videos",
        {"video_id": ids, "path": [f"{name}.mp4" for name in ids], "split": ["train", "train", "val"],
         "actions": [[0], [0, 1], [1]], "bytes": [1, 1, 1], "sha256": ["", "", ""]},
    )  # fmt: skip


def test_the_mini_draw(tmp_path, videos):
    (tmp_path / "train-v1-mini.csv").write_text("frying/b.mp4,1,0\nfrying/a.mp4,0\n")
    assert import_mini(tmp_path / "train-v1-mini.csv", tmp_path / "train.parquet", actions=3, videos=videos) == 2
    table = tables.read("splits", tmp_path / "train.parquet")
    assert table.to_pylist() == [
        {"video_id": "frying/a", "actions": [0], "drawn_for": None},
        {"video_id": "frying/b", "actions": [0, 1], "drawn_for": None},
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("music/c.mp4,1\n", "1 of 1 videos are not training videos of data/index, first music/c"),
        ("frying/a.mp4,7\n", "found the label '7', expected an index from 0 to 2"),
        ("frying/a.mp4\n", "found no label"),
    ],
)
def test_a_mini_draw_of_another_index(tmp_path, videos, line, message):
    (tmp_path / "m.csv").write_text(line)
    with pytest.raises(PlainError, match=message):
        import_mini(tmp_path / "m.csv", tmp_path / "train.parquet", actions=3, videos=videos)
