"""Two models on the same videos: brought together, and compared action by action."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from pipeline.explain.boosts import boosts, compare, gains
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables


def predictions(rows: dict[str, tuple[list[int], list[float]]]):
    return tables.from_rows("predictions", [(name, *row) for name, row in rows.items()])


@pytest.fixture
def pair():
    """Twelve videos; the other model lacks the first, and has one of its own."""
    rng = np.random.default_rng(0)
    labels = {f"v{number:02d}": [number % 3] for number in range(13)}
    ours = {name: (own, rng.random(4).round(3).tolist()) for name, own in labels.items() if name != "v12"}
    theirs = {name: (own, rng.random(4).round(3).tolist()) for name, own in labels.items() if name != "v00"}
    return predictions(ours), predictions(theirs)


def test_only_videos_that_both_scored_are_compared(pair):
    found = compare(*pair)
    assert found.video_ids == [f"v{number:02d}" for number in range(1, 12)]
    assert found.targets.argmax(axis=1).tolist() == [number % 3 for number in range(1, 12)]
    assert found.ours[0] == pytest.approx(pair[0]["scores"][1].as_py())
    assert found.theirs[0] == pytest.approx(pair[1]["scores"][0].as_py())


def test_boosts_are_differences_of_scikit_learns_precision(pair):
    found = compare(*pair)
    for row in boosts(found, bootstrap=30, seed=0).to_pylist()[:3]:
        own = found.targets[:, row["action_id"]]
        ours, theirs = (100 * average_precision_score(own, scores[:, row["action_id"]]) for scores in found[2:])
        assert (row["model"], row["baseline"]) == pytest.approx((ours, theirs), abs=1e-4)
        assert row["boost"] == pytest.approx(ours - theirs, abs=1e-4)
        assert row["low"] <= row["boost"] <= row["high"]
        assert row["positives"] == own.sum()


def test_an_action_without_a_video_has_no_boost(pair):
    row = boosts(compare(*pair), bootstrap=30, seed=0).to_pylist()[3]
    assert row["positives"] == 0
    assert np.isnan([row["model"], row["boost"], row["low"]]).all()


def test_gains_by_hand():
    ours = predictions({"a": ([0], [0.9, 0.1, 0.0]), "b": ([1, 2], [0.9, 0.8, 0.7])})
    theirs = predictions({"a": ([0], [0.1, 0.9, 0.0]), "b": ([1, 2], [0.9, 0.8, 0.7])})
    assert gains(compare(ours, theirs)) == {"a": 50.0, "b": 0.0}  # its action moves up from the second place


def test_other_labels_other_actions_and_other_videos_are_refused(pair):
    one = predictions({"v01": ([1], [0.1, 0.2, 0.3, 0.4])})
    with pytest.raises(PlainError, match=r"video v01 has actions \[2\] of 4 there, and \[1\] of 4 here"):
        compare(one, predictions({"v01": ([2], [0.1, 0.2, 0.3, 0.4])}))
    with pytest.raises(PlainError, match=r"has actions \[1\] of 2 there"):
        compare(one, predictions({"v01": ([1], [0.1, 0.2])}))
    with pytest.raises(PlainError, match="none of this run's videos"):
        compare(one, predictions({"x": ([1], [0.1, 0.2, 0.3, 0.4])}))
