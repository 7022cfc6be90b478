"""Motions move, come back, and keep to their reach."""

import pytest

from pipeline.dataset.sample.motion import MOTIONS, REACH
from pipeline.dataset.sample.sine import TURN

ANGLES = range(0, 2 * TURN, 64)


@pytest.mark.parametrize("name", MOTIONS)
def test_a_motion_moves_keeps_to_its_reach_and_comes_back(name):
    poses = [MOTIONS[name](angle) for angle in ANGLES]
    assert len(set(poses)) >= 5
    assert all(abs(pose.x) <= REACH and abs(pose.y) <= REACH for pose in poses)
    assert all(60 <= pose.scale <= 120 and 0 <= pose.turn < TURN and 20 <= pose.opacity <= 100 for pose in poses)
    assert [MOTIONS[name](angle + 2 * TURN) for angle in ANGLES] == poses


def test_motions_differ_from_each_other():
    assert len({tuple(motion(angle) for angle in ANGLES) for motion in MOTIONS.values()}) == len(MOTIONS) == 8
