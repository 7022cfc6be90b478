"""The mini draw against draws made by hand and the paper's rules."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.dataset import splits
from pipeline.foundations.params import SplitMini
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.seeds import seed_of

ACTIONS = ["swimming", "playing+music", "hitting/colliding"]


def videos_table(rows: dict[str, list[int]], split: str = "train") -> pa.Table:
    """Paths and labels, as the index has them."""
    columns = {
        "video_id": [path.removesuffix(".mp4") for path in rows],
        "path": list(rows),
        "split": [split] * len(rows),
        "actions": list(rows.values()),
        "bytes": [1] * len(rows),
        "sha256": ["00"] * len(rows),
    }
    return tables.from_columns("videos", columns)


def actions_table(names: list[str] = ACTIONS) -> pa.Table:
    return tables.from_columns(
        "actions", {"action_id": range(len(names)), "action": names, "words": [[name] for name in names]}
    )


def verdicts_table(verdicts: dict[str, str]) -> pa.Table:
    floats = [0.0] * len(verdicts)
    columns = {
        "video_id": list(verdicts),
        "verdict": list(verdicts.values()),
        "reason": [""] * len(verdicts),
        "seconds": floats,
        "peak_dbfs": floats,
        "rms_dbfs": floats,
    }
    return tables.from_columns("verdicts", columns)


def make(videos: pa.Table, *, draw="folder", per_action=2, required=True, verdicts=None, seed=2021) -> splits.Splits:
    params = SplitMini(draw=draw, per_action=per_action, require_audio_stream=required)
    return splits.make_splits(videos, actions_table(), verdicts_table(verdicts or {}), params, seed=seed)


def drawn(table: pa.Table) -> dict[str, int | None]:
    return dict(zip(table["video_id"].to_pylist(), table["drawn_for"].to_pylist(), strict=True))


MANY = {f"swimming/{number:03d}.mp4": [0, 2] for number in range(40)} | {
    f"playing+music/{number:03d}.mp4": [1] for number in range(3)
}


def test_by_folder_draws_up_to_the_number_and_all_of_a_smaller_category():
    found = drawn(make(videos_table(MANY), per_action=5).train)
    assert list(found.values()).count(0) == 5
    assert {name for name, action in found.items() if action == 1} == {f"playing+music/00{n}" for n in range(3)}
    assert len(found) == 8


def test_the_draw_is_the_lowest_lots():
    lots = sorted((seed_of(7, "split_mini", "swimming", f"swimming/{n:03d}"), f"swimming/{n:03d}") for n in range(40))
    found = drawn(make(videos_table(MANY), per_action=5, seed=7).train)
    assert {name for name, action in found.items() if action == 0} == {name for _, name in lots[:5]}


def test_the_draw_does_not_depend_on_order():
    shuffled = dict(reversed(MANY.items()))
    one, other = make(videos_table(MANY)).train, make(videos_table(shuffled)).train
    assert drawn(one) == drawn(other)


def test_another_seed_draws_others():
    assert drawn(make(videos_table(MANY), seed=1).train) != drawn(make(videos_table(MANY), seed=2).train)


def test_a_video_less_moves_one_other_across_the_line():
    before = set(drawn(make(videos_table(MANY), per_action=10).train))
    gone = min(name for name in before if name.startswith("swimming"))
    rest = {path: labels for path, labels in MANY.items() if path != f"{gone}.mp4"}
    after = set(drawn(make(videos_table(rest), per_action=10).train))
    assert before - after == {gone}
    assert len(after - before) == 1


def test_by_label_a_video_may_be_drawn_by_any_of_its_labels():
    rows = {"x/a.mp4": [0, 1], "x/b.mp4": [0], "x/c.mp4": [1, 2], "x/d.mp4": [2]}
    found = drawn(make(videos_table(rows), draw="label", per_action=10).train)
    assert found == {"x/a": 0, "x/b": 0, "x/c": 1, "x/d": 2}  # repeats merged, the lowest action that drew it


def test_by_label_draws_the_number_for_each_label():
    rng = np.random.default_rng(0)
    rows = {f"x/{n:03d}.mp4": sorted(rng.choice(3, size=rng.integers(1, 4), replace=False).tolist()) for n in range(90)}
    train = make(videos_table(rows), draw="label", per_action=12).train
    expected: dict[str, int] = {}
    for action in range(3):
        pool = [path.removesuffix(".mp4") for path, labels in rows.items() if action in labels]
        for name in sorted(pool, key=lambda name: seed_of(2021, "split_mini", ACTIONS[action], name))[:12]:
            expected.setdefault(name, action)
    assert drawn(train) == expected
    assert 12 < train.num_rows < 36  # some were drawn twice


def test_all_is_no_draw():
    train = make(videos_table(MANY), draw="all", per_action=1).train
    assert train.num_rows == len(MANY)
    assert train["drawn_for"].null_count == len(MANY)


@pytest.mark.parametrize("draw", ["folder", "label", "all"])
def test_videos_without_an_audio_stream_are_removed_where_one_is_required(draw):
    rows = {f"swimming/{name}.mp4": [0] for name in "abcde"}
    verdicts = {
        "swimming/a": "audible",
        "swimming/b": "no_audio_stream",
        "swimming/c": "digital_silence",
        "swimming/d": "below_threshold",
        "swimming/e": "undecodable",
    }
    kept = make(videos_table(rows), draw=draw, per_action=9, verdicts=verdicts).train
    assert kept["video_id"].to_pylist() == ["swimming/a", "swimming/c", "swimming/d"]  # silent, but a stream
    everything = make(videos_table(rows), draw=draw, per_action=9, verdicts=verdicts, required=False).train
    assert everything.num_rows == 5


def test_the_number_is_drawn_from_what_is_left():
    rows = {f"swimming/{n}.mp4": [0] for n in range(9)}
    verdicts = {f"swimming/{n}": "no_audio_stream" for n in range(4)}
    assert set(drawn(make(videos_table(rows), per_action=5, verdicts=verdicts).train)) == {
        f"swimming/{n}" for n in range(4, 9)
    }


def test_validation_and_test_pass_as_they_are():
    parts = [videos_table(MANY), videos_table({"q/v.mp4": [0, 1]}, "val"), videos_table({"q/t.mp4": [2]}, "test")]
    verdicts = {"q/v": "no_audio_stream", "q/t": "undecodable"}
    found = make(pa.concat_tables(parts), per_action=1, verdicts=verdicts)
    assert drawn(found.val) == {"q/v": None}
    assert drawn(found.test) == {"q/t": None}
    assert found.val["actions"].to_pylist() == [[0, 1]]


def test_labels_stay_whole():
    train = make(videos_table(MANY), per_action=1).train
    assert sorted(train["actions"].to_pylist()) == [[0, 2], [1]]


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("swimming/a.mp4", 0),
        ("hitting/a.mp4", 2),
        ("colliding/a.mp4", 2),
        ("hitting/colliding/a.mp4", 2),  # the action's name as a path
    ],
)
def test_a_folder_names_an_action_in_full_or_by_an_alternative(path, action):
    assert list(splits.by_folder(videos_table({path: [1]}), ACTIONS)) == [action]


def test_a_full_name_goes_before_an_alternative_and_a_shared_alternative_names_nothing():
    names = ["hitting", "hitting/colliding", "waving/greeting", "greeting/meeting"]
    assert list(splits.by_folder(videos_table({"hitting/a.mp4": [0], "meeting/b.mp4": [0]}), names)) == [0, 3]
    with pytest.raises(PlainError, match="greeting/c"):
        splits.by_folder(videos_table({"greeting/c.mp4": [0]}), names)


@pytest.mark.parametrize("path", ["a.mp4", "videos/a.mp4", "Swimming/a.mp4"])
def test_a_folder_that_is_no_action_is_an_error(path):
    with pytest.raises(PlainError, match=r"split_mini\.draw is folder, and found 1 training videos"):
        make(videos_table(MANY | {path: [0]}))


@pytest.mark.parametrize("draw", ["folder", "label", "all"])
def test_no_training_video_left_is_an_error(draw):
    with pytest.raises(PlainError, match=r"1 annotated, and split_mini\.require_audio_stream is true"):
        make(videos_table({"swimming/a.mp4": [0]}), draw=draw, verdicts={"swimming/a": "no_audio_stream"})


def test_the_closing_line_names_the_rarest_action(params):
    videos = videos_table(MANY)
    found = make(videos, per_action=5)
    line = splits.summary(found, videos, actions_table(), params.split_mini)
    assert line.startswith("8 of 43 training videos, up to 300 drawn for each folder; the rarest of 3 actions is ")
    assert "playing+music, with 3 videos; 0 val and 0 test videos" in line
