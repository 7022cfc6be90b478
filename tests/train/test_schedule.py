from math import cos, pi

import pytest

from pipeline.train.schedule import learning_rate


@pytest.fixture
def paper(params):
    """The paper's settings."""
    return params.train.model_copy(
        update={"epochs": 30, "learning_rate": 0.01, "schedule": "step", "milestones": (12, 24), "warmup_epochs": 0}
    )


@pytest.mark.parametrize(
    ("epoch", "rate"), [(0, 0.01), (11.99, 0.01), (12, 0.001), (23.5, 0.001), (24, 0.0001), (29.9, 0.0001)]
)
def test_steps_are_the_papers(paper, epoch, rate):
    assert learning_rate(epoch, paper) == pytest.approx(rate, rel=1e-12)


def test_cosine_goes_from_the_rate_to_nothing(paper):
    cosine = paper.model_copy(update={"schedule": "cosine"})
    assert learning_rate(0, cosine) == 0.01
    assert learning_rate(15, cosine) == pytest.approx(0.005)
    assert learning_rate(10, cosine) == pytest.approx(0.0075)  # cos 60 degrees is a half
    assert learning_rate(30, cosine) == pytest.approx(0.0)


def test_warm_up_rises_linearly_to_where_the_schedule_stands(paper):
    warmed = paper.model_copy(update={"schedule": "cosine", "warmup_epochs": 5, "warmup_rate": 1e-4})
    goal = 0.01 * 0.5 * (1 + cos(pi * 5 / 30))
    assert learning_rate(0, warmed) == 1e-4
    assert learning_rate(2.5, warmed) == pytest.approx((1e-4 + goal) / 2)
    assert learning_rate(5, warmed) == pytest.approx(goal)
    assert learning_rate(4.999999, warmed) == pytest.approx(goal, rel=1e-5)


def test_warm_up_ends_in_the_middle_of_steps_too(paper):
    warmed = paper.model_copy(update={"warmup_epochs": 13, "warmup_rate": 1e-4})
    assert learning_rate(13, warmed) == pytest.approx(0.001)
    assert learning_rate(6.5, warmed) == pytest.approx((1e-4 + 0.001) / 2)
