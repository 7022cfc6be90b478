"""The scored videos one by one, against figures worked out by hand."""

from math import log, log2

import numpy as np
import pytest

from pipeline.foundations.params import load_params
from pipeline.foundations.tables import tables
from pipeline.report.sections.browse import browse, paths_of


@pytest.fixture(scope="module")
def values(finished):
    return load_params(finished / "params.yaml").model_dump(mode="json")


def test_a_video_is_measured_by_its_own_scores(run_tables, values):
    scores = np.float32([[0.9, 0.1, 0.2, 0.3, 0.25, 0.05]] * 3)
    columns = run_tables.predictions.to_pydict() | {"scores": scores}
    changed = type(run_tables)(**vars(run_tables) | {"predictions": tables.from_columns("predictions", columns)})
    first = browse(changed, values)[0]  # x0: applauding and singing
    assert first.labels == ["applauding", "singing"]
    assert [(one.action, one.own) for one in first.best[:3]] == [
        ("applauding", True), ("playing+music", False), ("singing", True)]  # fmt: skip
    assert first.precision == pytest.approx(100 * (1 + 2 / 3) / 2)
    own, others = (0.9, 0.25), (0.1, 0.2, 0.3, 0.05)
    assert first.surprise == pytest.approx(-sum(map(log2, own)) / 2, rel=1e-5)
    assert first.loss == pytest.approx(-(sum(map(log, own)) + sum(log(1 - s) for s in others)) / 6, rel=1e-5)
    assert (first.verdict, first.loudness) == ("audible", 1.0)


def test_where_there_are_more_those_with_a_clip_come_first(run_tables, values):
    assert [video.video_id for video in browse(run_tables, values)] == ["x0", "x1", "x3"]
    assert [video.video_id for video in browse(run_tables, values, 1)] == ["x0"]
    assert [video.video_id for video in browse(run_tables, values, 2)] == ["x0", "x1"]


def test_a_path_leads_from_the_page_to_the_data_set(run_tables, values):
    assert paths_of(run_tables, values)["x0"] == "../../data/raw/sample/videos/x0.mp4"
    away = values | {"dataset": values["dataset"] | {"folder": "/data/mmit"}}
    assert paths_of(run_tables, away)["x0"] == "file:///data/mmit/sample/videos/x0.mp4"
