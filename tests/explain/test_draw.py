"""Which videos are drawn, and that what is written is what the table says."""

import numpy as np
import pytest
from PIL import Image

from pipeline.explain.draw import Subject, best_scored, choose, draw, scores_of
from pipeline.explain.models import Explained, explained
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables

SCORES = {
    "all-right": ([0, 1], [0.6, 0.5, 0.1]),
    "all-right-and-sure": ([0, 2], [0.9, 0.1, 0.8]),
    "alone-and-right": ([2], [0.0, 0.0, 1.0]),
    "half-right": ([0, 1], [0.9, 0.1, 0.5]),
}


def model(name: str, root, scores: dict) -> Explained:
    return Explained(name, root, tables.from_rows("predictions", [(video, *row) for video, row in scores.items()]))


@pytest.fixture
def ours(tmp_path) -> Explained:
    return model("model", tmp_path, SCORES)


def some(small, videos):
    return small.explain.model_copy(update={"videos": videos})


def test_videos_of_several_actions_come_first_then_the_best_then_the_surest(ours, small):
    order = ["all-right-and-sure", "all-right", "half-right", "alone-and-right"]
    for count in (0, 2, 4, 9):
        assert choose([ours], some(small, count)) == order[:count]


def test_beside_a_baseline_those_that_gain_most(ours, small, tmp_path):
    flat = {video: (own, [0.3, 0.2, 0.1]) for video, (own, _) in SCORES.items()}  # right for all-right alone
    found = choose([ours, model("baseline", tmp_path, flat)], some(small, 2))
    assert found == ["all-right-and-sure", "all-right"]  # gains 1/6 and nothing, half-right loses


def test_named_videos_are_taken_as_they_are_named(ours, small):
    assert choose([ours], some(small, ("half-right", "all-right"))) == ["half-right", "all-right"]
    with pytest.raises(PlainError, match=r"explain.videos: nowhere is not among the scored videos"):
        choose([ours], some(small, ("half-right", "nowhere")))


def test_the_best_scored_of_a_videos_actions():
    assert best_scored([0.1, 0.9, 0.9, 0.4], [0, 2, 1], 2) == (1, 2)


def test_a_video_that_the_baseline_has_not_scored_is_named(ours):
    with pytest.raises(PlainError, match="has not scored elsewhere"):
        scores_of(ours, "elsewhere")


def test_what_is_written_is_what_the_table_says(finished, videos, places, small, tmp_path):
    models = explained(finished("run", "visual", "text"), str(finished("other", "fc")))
    subjects = [Subject(0, videos[1], (4, 1), places["b"]), Subject(1, videos[2], (2,), {})]
    table = draw(tmp_path / "out", models, subjects, explain=small.explain, short_side=24, media=small.media)
    rows = table.to_pylist()
    assert {(row["number"], row["action_id"], row["model"]) for row in rows} == {
        (number, action, name) for number, action in ((0, 1), (0, 4), (1, 2)) for name in ("model", "baseline")
    }
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        row[file] for row in rows for file in ("frames", "strip", "moving")
    }
    assert {(row["chosen"], row["layer"]) for row in rows} == {("by gain", "layer4")}
    for row in rows:
        assert row["score"] == pytest.approx(
            scores_of(models[row["model"] == "baseline"], row["video_id"])[row["action_id"]]
        )
        with (
            Image.open(tmp_path / "out" / row["strip"]) as strip,
            Image.open(tmp_path / "out" / row["moving"]) as moving,
        ):
            assert strip.size == (3 * 48 + 2 * 3, 32)
            assert moving.size == (48, 32)
            assert moving.n_frames == 7  # of two clips: 0 2 4 7 and 4 6 8 11
    assert len({np.float32(row["hottest"]) for row in rows}) > 1
