"""The plan: every split as large as asked, defects as many as asked, every action often enough."""

from collections import Counter

import pytest

from pipeline.dataset.sample.cooccurrence import ACTIONS
from pipeline.dataset.sample.plan import draw_plans
from pipeline.foundations.runtime.errors import PlainError


def test_the_committed_sample_has_its_sizes(plans):
    assert Counter(plan.split for plan in plans) == {"train": 420, "validation": 120, "test": 120}
    assert len({plan.path for plan in plans}) == 660
    assert all(plan.path.startswith(f"{plan.actions[0]}/") for plan in plans)


def test_defects_are_as_many_as_asked(plans):
    assert Counter(plan.defect for plan in plans) == {
        None: 572,
        "no audio stream": 40,
        "digital silence": 26,
        "below threshold": 20,
        "truncated": 2,
    }  # fmt: skip  6%, 4% and 3% of 660, rounded
    assert {plan.split for plan in plans if plan.defect == "truncated"} == {"train"}
    for defect in ("no audio stream", "digital silence", "below threshold"):
        assert {plan.split for plan in plans if plan.defect == defect} == {"train", "validation", "test"}


def test_every_action_is_heard_often_enough_in_training_and_seen_in_every_split(plans):
    heard = Counter(action for plan in plans if plan.split == "train" and not plan.defect for action in plan.heard)
    assert min(heard[action] for action in ACTIONS) >= 8
    for split in ("train", "validation", "test"):
        assert {action for plan in plans if plan.split == split for action in plan.actions} == set(ACTIONS)


def test_with_nothing_hidden_every_action_is_shown_and_heard(all_shown, plans):
    whole = draw_plans(all_shown)
    assert all(plan.shown == plan.heard == plan.actions for plan in whole)
    assert [plan[:4] for plan in whole] == [plan[:4] for plan in plans]  # labels and defects are as they were


def test_an_action_is_hidden_from_sight_or_from_hearing_and_never_from_both(render):
    plans = draw_plans(render.model_copy(update={"train": 4000, "hidden": 0.35}))
    actions = [(action in plan.shown, action in plan.heard) for plan in plans for action in plan.actions]
    assert (False, False) not in actions
    unseen = sum(not shown for shown, _ in actions) / len(actions)
    mute = sum(not heard for shown, heard in actions if shown) / sum(shown for shown, _ in actions)
    assert unseen == pytest.approx(0.35, abs=0.025)  # 5 standard errors of about 9,000 actions
    assert mute == pytest.approx(0.35, abs=0.032)
    assert {plan.shown for plan in plans if len(plan.actions) == 1} >= {()}
    assert all(list(plan.shown) == [a for a in plan.actions if a in plan.shown] for plan in plans)


def test_a_larger_split_keeps_the_videos_before_it(render, plans):
    more = draw_plans(render.model_copy(update={"test": 130}))
    assert [(*plan[:3], plan.shown, plan.heard) for plan in more[:660]] == [
        (*plan[:3], plan.shown, plan.heard) for plan in plans
    ]


def test_another_seed_gives_another_sample(render, plans):
    assert draw_plans(render.model_copy(update={"seed": 314})) != plans


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"truncated": 421}, "render.truncated is 421, but there are only 420 training videos"),
        ({"no_audio_stream": 0.99}, "more videos are to have a defect"),
    ],
)
def test_more_defects_than_videos_are_refused(render, change, message):
    with pytest.raises(PlainError, match=message):
        draw_plans(render.model_copy(update=change))
