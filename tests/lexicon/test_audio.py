"""The audio lexicon against pairs written out by hand, and the draw against its promises."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.foundations.params import Lexicon
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.tables import FORM_SIZE
from pipeline.lexicon import audio


def form(number: float) -> np.ndarray:
    """A recognizable form: its number, then 1/128 steps."""
    return (number + np.arange(FORM_SIZE) / 128).astype(np.float32)


def whitened(path, numbers: dict[str, float]):
    names = sorted(numbers)
    forms = np.stack([form(numbers[name]) for name in names])
    tables.write("whitened", path, tables.from_columns("whitened", {"video_id": names, "form": forms}))
    return path


def members(rows: dict[str, list[int]]) -> pa.Table:
    return tables.from_columns(
        "splits", {"video_id": list(rows), "actions": list(rows.values()), "drawn_for": [None] * len(rows)}
    ).select(["video_id", "actions"])


def lexicon_of(actions: dict[int, int]) -> pa.Table:
    """A table of `actions[a]` forms an action; form number 100 a + i."""
    rows = [(a, f"v{i:03d}", form(100 * a + i)) for a, count in sorted(actions.items()) for i in range(count)]
    return tables.from_columns(
        "audio",
        {"action_id": [r[0] for r in rows], "video_id": [r[1] for r in rows], "form": np.stack([r[2] for r in rows])},
    )


def query(**changes) -> Lexicon:
    return Lexicon(**{"draw": "fixed", "forms": 1, "combine": "concat"} | changes)


@pytest.fixture
def built(tmp_path):
    path = whitened(tmp_path / "whitened.parquet", {"b": 2, "a": 1, "z": 26, "m": 13})
    rows = {"z": [0, 2], "a": [2], "silent": [1], "b": [0, 3]}  # m lies outside the scope, silent has no form
    summary = audio.build(members(rows), path, tmp_path / "audio.parquet", actions=5)
    return summary, tables.read("audio", tmp_path / "audio.parquet")


def test_every_form_is_paired_with_every_action_of_its_video(built):
    _, table = built
    pairs = list(zip(table["action_id"].to_pylist(), table["video_id"].to_pylist(), strict=True))
    assert pairs == [(0, "b"), (0, "z"), (2, "a"), (2, "z"), (3, "b")]
    expected = np.stack([form(2), form(26), form(1), form(26), form(2)])
    np.testing.assert_array_equal(tables.vectors(table["form"]), expected)


def test_the_summary_counts_pairs_and_videos_and_names_actions_without_a_form(built):
    summary, _ = built
    assert summary == audio.Built(pairs=5, videos=3, missing=(1, 4))


def test_blocks_and_row_groups_leave_the_bytes_as_they_are(tmp_path, monkeypatch):
    path = whitened(tmp_path / "whitened.parquet", {f"v{i:02d}": i for i in range(40)})
    rows = {f"v{i:02d}": sorted({i % 3, i % 5}) for i in range(40)}
    audio.build(members(rows), path, tmp_path / "whole.parquet", actions=5)
    monkeypatch.setattr(audio, "BLOCK", 7)
    monkeypatch.setattr(audio, "ROW_GROUP", 3)
    audio.build(members(rows), path, tmp_path / "cut.parquet", actions=5)
    assert (tmp_path / "cut.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_the_order_of_the_members_does_not_matter(tmp_path):
    path = whitened(tmp_path / "whitened.parquet", {"a": 1, "b": 2, "c": 3})
    rows = {"a": [0, 1], "b": [1], "c": [0]}
    audio.build(members(rows), path, tmp_path / "one.parquet", actions=2)
    audio.build(members(dict(reversed(rows.items()))), path, tmp_path / "other.parquet", actions=2)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "other.parquet").read_bytes()


def test_a_lexicon_without_any_form_is_empty(tmp_path):
    path = whitened(tmp_path / "whitened.parquet", {"a": 1})
    built = audio.build(members({"other": [0]}), path, tmp_path / "audio.parquet", actions=2)
    assert built == (0, 0, (0, 1))
    assert tables.read("audio", tmp_path / "audio.parquet").num_rows == 0


def test_an_action_beyond_the_vocabulary_is_an_error(tmp_path):
    path = whitened(tmp_path / "whitened.parquet", {"a": 1})
    with pytest.raises(PlainError, match="found action 7, expected ids below 3"):
        audio.build(members({"a": [7]}), path, tmp_path / "audio.parquet", actions=3)


def test_the_full_scope_is_the_training_videos_alone(tmp_path):
    rows = {"a": ("train", [0]), "b": ("val", [0]), "c": ("test", [1]), "d": ("train", [1])}
    videos = tables.from_columns(
        "videos",
        {
            "video_id": list(rows),
            "path": list(rows),
            "split": [split for split, _ in rows.values()],
            "actions": [actions for _, actions in rows.values()],
            "bytes": [1] * 4,
            "sha256": ["0"] * 4,
        },
    )
    tables.write("videos", tmp_path / "videos.parquet", videos)
    mini = tables.from_columns("splits", {"video_id": ["d"], "actions": [[1]], "drawn_for": [1]})
    tables.write("splits", tmp_path / "train.parquet", mini)
    paths = {"videos": tmp_path / "videos.parquet", "train": tmp_path / "train.parquet"}
    assert audio.training_videos("full", **paths).to_pydict() == {"video_id": ["a", "d"], "actions": [[0], [1]]}
    assert audio.training_videos("mini", **paths).to_pydict() == {"video_id": ["d"], "actions": [[1]]}


def numbers(forms: np.ndarray) -> list[list[int]]:
    """Which forms lie side by side in each row, by their numbers."""
    return forms[:, ::FORM_SIZE].round().astype(int).tolist()


def test_one_form_an_action_is_one_of_its_own():
    drawn = audio.node_forms(lexicon_of({0: 9, 1: 1, 3: 5}), 5, query(), seed=7)
    assert drawn.forms.shape == (5, FORM_SIZE)
    assert drawn.forms.dtype == np.float32
    (zero,), (one,), _, (three,), _ = numbers(drawn.forms)
    assert 0 <= zero < 9
    assert one == 100
    assert 300 <= three < 305
    np.testing.assert_array_equal(drawn.forms[1], form(100))


def test_an_action_without_a_form_is_named_and_gets_zeros():
    drawn = audio.node_forms(lexicon_of({0: 2, 2: 2}), 4, query(), seed=7)
    assert drawn.missing == (1, 3)
    assert not drawn.forms[[1, 3]].any()


def test_a_fixed_draw_stays_and_a_resampled_one_changes_with_the_epoch():
    table = lexicon_of(dict.fromkeys(range(20), 30))
    fixed = [numbers(audio.node_forms(table, 20, query(), 7, epoch).forms) for epoch in (0, 1)]
    fresh = [numbers(audio.node_forms(table, 20, query(draw="resample"), 7, epoch).forms) for epoch in (0, 1, 0)]
    assert fixed[0] == fixed[1]
    assert fresh[0] != fresh[1]
    assert fresh[0] == fresh[2]


def test_a_draw_does_not_depend_on_other_actions_and_does_on_the_seed():
    alone = audio.node_forms(lexicon_of({4: 50}), 5, query(forms=3), seed=7).forms[4]
    table = lexicon_of({0: 3, 1: 8, 4: 50})
    np.testing.assert_array_equal(audio.node_forms(table, 5, query(forms=3), seed=7).forms[4], alone)
    assert (audio.node_forms(table, 5, query(forms=3), seed=8).forms[4] != alone).any()


def test_three_forms_side_by_side_are_different_ones_of_the_action():
    drawn = audio.node_forms(lexicon_of({0: 4, 1: 3}), 2, query(forms=3), seed=1)
    assert drawn.forms.shape == (2, 3 * FORM_SIZE)
    rows = numbers(drawn.forms)
    assert len(set(rows[0])) == 3
    assert sorted(rows[1]) == [100, 101, 102]


def test_an_action_with_fewer_forms_than_asked_repeats_them():
    (row,) = numbers(audio.node_forms(lexicon_of({0: 2}), 1, query(forms=3), seed=1).forms)
    assert sorted(set(row)) == [0, 1]
    assert row[2] == row[0]


def test_the_mean_of_the_drawn_forms_is_their_mean():
    drawn = audio.node_forms(lexicon_of({0: 3}), 1, query(forms=3, combine="mean"), seed=1)
    np.testing.assert_allclose(drawn.forms[0], form(1), rtol=1e-6)  # of forms 0, 1 and 2


@pytest.mark.parametrize("forms", [1, 3])
def test_the_mean_draw_is_the_mean_of_all_forms_whatever_is_asked(forms):
    drawn = audio.node_forms(lexicon_of({0: 9, 1: 2}), 2, query(draw="mean", forms=forms), seed=1)
    np.testing.assert_allclose(drawn.forms, np.stack([form(4), form(100.5)]), rtol=1e-6)


def test_one_of_several_is_among_the_drawn_and_changes_with_the_epoch():
    table = lexicon_of({0: 50})
    pool = set(numbers(audio.node_forms(table, 1, query(forms=3), seed=1).forms)[0])
    seen = {numbers(audio.node_forms(table, 1, query(forms=3, combine="one"), 1, e).forms)[0][0] for e in range(30)}
    assert seen == pool


@pytest.mark.parametrize(
    ("changes", "size", "varies"),
    [
        ({}, 384, False),
        ({"forms": 3}, 1152, False),
        ({"forms": 2, "combine": "mean"}, 384, False),
        ({"forms": 2, "combine": "one"}, 384, True),
        ({"draw": "mean", "forms": 3}, 384, False),
        ({"draw": "resample", "forms": 3}, 1152, True),
    ],
)
def test_the_size_of_a_node_and_whether_it_varies(changes, size, varies):
    lexicon = query(**changes)
    assert audio.form_size(lexicon, 384) == size
    assert audio.varies(lexicon) is varies
    table = lexicon_of({0: 40})
    first, second = (audio.node_forms(table, 1, lexicon, 3, epoch).forms for epoch in (0, 7))
    assert first.shape == (1, size)
    assert (first != second).any() == varies
