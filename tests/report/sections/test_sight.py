"""What the page says of the heat, row by row."""

import base64
import io

import pyarrow as pa
import pytest
from PIL import Image

from pipeline.foundations.tables import tables
from pipeline.report.sections.sight import points, sight


def listed(video):
    return [(row.action, view.model, round(view.score), view.no_heat) for row in video.rows for view in row.views]


@pytest.fixture
def seen(run_tables):
    return sight(run_tables)


def scores(**figures: tuple[float, float, float]) -> pa.Table:
    rows = [("model", "layer4", name, *figure, 3) for name, figure in figures.items()]
    return tables.from_rows("pointing_scores", rows)


def test_videos_stand_in_order_with_their_best_scored_action_first(seen):
    assert [video.video_id for video in seen.videos] == ["x0", "x1"]
    assert listed(seen.videos[0]) == [("applauding", "model", 90, False), ("singing", "model", 80, False)]
    assert listed(seen.videos[1]) == [("swimming", "model", 70, True)]
    assert all(row.own for video in seen.videos for row in video.rows)
    assert (seen.layer, seen.against) == ("layer4", False)


def test_model_and_baseline_stand_beside_each_other_action_by_action(compared):
    seen = sight(compared)
    assert seen.against
    assert listed(seen.videos[0]) == [
        ("applauding", "model", 90, False),
        ("applauding", "baseline", 20, False),
        ("singing", "model", 80, False),
        ("singing", "baseline", 20, False),
    ]
    assert seen.videos[1].files == [
        "x1-frames.webp",
        "2.webp",
        "2-moving.webp",
        "2-baseline.webp",
        "2-baseline-moving.webp",
    ]


def test_an_action_that_is_no_label_of_the_video_is_told_from_its_own(run_tables):
    rows = [row | {"action_id": 3} if row["video_id"] == "x1" else row for row in run_tables.drawn.to_pylist()]
    drawn = tables.from_rows("drawn", [tuple(row.values()) for row in rows])
    found = sight(type(run_tables)(**(vars(run_tables) | {"drawn": drawn})))
    assert [(row.action, row.own) for row in found.videos[1].rows] == [("playing+music", False)]


def test_pictures_are_on_the_page_itself(seen):
    head, _, data = seen.videos[0].rows[1].views[0].strip.partition(",")
    assert head == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.size == (900, 110)


def test_the_pointing_game_starts_with_the_layer_that_is_drawn(seen):
    assert [(row.model, row.layer) for row in seen.pointing] == [("model", "layer4"), ("model", "layer3")]
    last = seen.pointing[0]
    assert (last.heat.value, last.lead_other_action.value, last.pairs, last.pairs_of_several) == (41, 7, 5, 3)


@pytest.mark.parametrize(
    ("lead", "words"),
    [
        ((6.0, 4.0, 8.0), "that is more often than in another action's, by +6.0 points (+4.0 to +8.0)."),
        ((-6.0, -8.0, -4.0), "that is less often than in another action's: -6.0 points"),
        ((1.0, -2.0, 3.0), "that is not told apart from how often it is in another action's: +1.0 points"),
    ],
)
def test_the_sentence_says_what_the_interval_allows(run_tables, lead, words):
    figures = dict.fromkeys(("heat", "no_heat", "chance", "centre", "lead_chance", "other_action"), (9.0, 8.0, 11.0))
    changed = vars(run_tables) | {"pointing_scores": scores(**figures, lead_other_action=lead)}
    assert words in sight(type(run_tables)(**changed)).sentence


def test_a_video_of_one_action_has_no_other_to_point_at():
    figures = dict.fromkeys(("heat", "no_heat", "chance", "centre", "lead_chance"), (9.0, 8.0, 11.0))
    (row,) = points(scores(**figures), first="layer4")
    assert row.other_action is row.lead_other_action is None
    assert row.pairs_of_several == 0


def test_where_no_place_is_known_there_is_no_sentence(run_tables):
    changed = vars(run_tables) | {name: tables.empty(name) for name in ("pointing_scores", "drawn")}
    found = sight(type(run_tables)(**changed))
    assert (found.sentence, found.videos, found.pointing, found.layer) == ("", [], [], "")
