"""What the page says of relations and of a baseline, against the small run by hand."""

import numpy as np
import pytest

from pipeline.foundations.tables import tables
from pipeline.report.sections.learnt import learnt


def with_tables(run_tables, **rows):
    made = {name: tables.from_rows(name, content) for name, content in rows.items()}
    return learnt(type(run_tables)(**(vars(run_tables) | made)))


@pytest.fixture
def found(run_tables):
    return learnt(run_tables)


def test_layers_carry_their_figures(found):
    assert [(layer.title, layer.learnt, layer.smoothed) for layer in found.learners["text"]] == [
        ("input", 60, 50),
        ("after layer 1", 61, 51),
        ("after layer 2", 62, 52),
    ]
    assert (found.video, found.marked) == ("x0", ["applauding", "singing"])  # of equals, the first that is drawn
    assert all("applauding" in layer.drawing and "diving" not in layer.drawing for layer in found.learners["text"])


def test_neighbours_that_are_both_learnt_and_known_are_shared(found):
    """Learnt are the next two actions; in the data, the second next and then the next."""
    row = found.related[4]
    assert [(n.action, n.strength) for n in row.learnt[0]] == [("swimming", 1.0), ("applauding", 0.5)]
    assert [(n.action, n.shared) for n in row.data] == [("applauding", True), ("swimming", True)]
    assert found.overlap == [("text", 100.0, pytest.approx(40.0))]  # two of five others


def test_overlap_by_hand(run_tables):
    rows = [("data", 0, 1, 1, 0.9, 0.9), ("data", 0, 2, 2, 0.5, 0.5), ("data", 1, 1, 0, 0.5, 0.5)]
    rows += [
        ("text", 0, 1, 2, 0.8, 0.5),
        ("text", 0, 2, 3, 0.7, 0.0),
        ("text", 1, 1, 4, 0.7, 0.0),
        ("text", 1, 2, 5, 0.6, 0.0),
    ]
    made = with_tables(run_tables, neighbours=rows)
    assert made.overlap == [("text", 25.0, pytest.approx(40.0))]  # half of action 0's, none of action 1's
    assert [n.shared for n in made.related[0].data] == [False, True]
    assert made.related[2].data == []


def test_without_a_baseline_nothing_is_compared(found):
    assert (found.boosts, found.scores, found.mean) == ([], {}, None)


def test_boosts_fall_and_actions_without_a_video_are_left_out(run_tables):
    boosts = [(0, 3, 50.0, 40.0, 10.0, 4.0, 16.0), (1, 0, *[np.nan] * 5), (2, 1, 90.0, 60.0, 30.0, np.nan, np.nan)]
    boosts += [(action, 2, 10.0, 30.0, -20.0, -45.0, 5.0) for action in (3, 4, 5)]
    compared = [(video, model, own, scores) for video, own in (("x0", [0, 4]), ("x1", [1, 5]))
                for model, scores in (("model", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), ("baseline", [0.6] * 6))]  # fmt: skip
    made = with_tables(run_tables, boosts=boosts, compared=compared)
    assert [row.action for row in made.boosts][:2] == ["hitting/colliding", "applauding"]
    assert len(made.boosts) == 5
    assert made.span == 45.0
    assert made.mean[:2] == pytest.approx(((50 + 90 + 3 * 10) / 5, (40 + 60 + 3 * 30) / 5))
    assert list(made.scores) == ["x0", "x1"]
    best = made.scores["x0"][0]
    assert (best.action, best.target) == ("swimming", False)
    assert (best.model, best.baseline) == pytest.approx((60, 60))
    assert [score.action for score in made.scores["x0"] if score.target] == ["singing", "applauding"]


def test_a_model_without_lexicon_has_nothing_to_show(run_tables):
    none = {name: [] for name in ("embedding", "clustering", "compared")}
    made = with_tables(run_tables, **none, neighbours=[("data", 0, 1, 1, 0.5, 0.5)])
    assert (made.learners, made.names, made.overlap, made.video) == ({}, [], [], "")
    assert made.related[0].data[0].action == "diving"
