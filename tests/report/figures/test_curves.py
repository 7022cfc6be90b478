"""Which learning curves share a panel, and what a panel says."""

import pytest

from pipeline.report.figures.curves import panels

CURVES = {
    "train/learning_rate": [(1, 0.1), (2, 0.01)],
    "train/loss": [(1, 0.9), (2, 0.5)],
    "val/loss": [(2, 0.6)],
    "val/map_action": [(2, 31.0)],
    "val/map_sample": [(2, 42.5)],
}


@pytest.fixture
def found():
    return {panel.title: str(panel.svg) for panel in panels(CURVES)}


def test_losses_share_a_panel_metrics_share_one_and_the_rest_stand_alone(found):
    assert list(found) == ["loss", "validation, percent", "learning rate"]


def test_a_panel_says_where_its_curves_end(found):
    assert "train/loss ends at 0.5" in found["loss"]
    assert "val/loss ends at 0.6" in found["loss"]
    assert "val/map_sample ends at 42.5" in found["validation, percent"]


def test_a_panel_of_several_curves_names_each(found):
    assert "map_action</text>" in found["validation, percent"]
    assert "map_sample</text>" in found["validation, percent"]


def test_curves_of_one_name_are_told_apart_by_their_split(found):
    assert "train</text>" in found["loss"]
    assert "val</text>" in found["loss"]


def test_panels_have_ids_of_their_own(found):
    assert all(
        f'id="curve-{name}' in found[title] for title, name in (("loss", "loss"), ("learning rate", "learning-rate"))
    )


def test_without_validation_there_is_no_panel_for_it():
    assert [panel.title for panel in panels({"train/loss": CURVES["train/loss"]})] == ["loss"]
