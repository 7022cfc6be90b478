"""Looks: dealt apart from groups, drawn in the right colours."""

import numpy as np
import pytest

from pipeline.dataset.sample.cooccurrence import ACTIONS
from pipeline.dataset.sample.looks import COLOURS, OPACITIES, SIDES, Look, draw, looks, yuv
from pipeline.dataset.sample.sine import TURN
from pipeline.dataset.sample.traits import most_shared

DISC = Look(shape="disc", texture="plain", colour="poppy", motion="bob", side=40, opacity=256)


@pytest.mark.parametrize(
    ("colour", "expected"),
    [(0x000000, (16, 128, 128)), (0xFFFFFF, (235, 128, 128)), (0xFF0000, (82, 90, 240)), (0x0000FF, (41, 240, 110))],
)
def test_colours_are_those_of_bt601(colour, expected):
    assert yuv(colour) == expected


def test_every_action_has_a_look_of_its_own_whatever_the_seed():
    for seed in (1, 2, 313):
        dealt = looks(seed)
        assert set(dealt) == set(ACTIONS)
        assert most_shared([dict(zip("abcd", look[:4], strict=True)) for look in dealt.values()]) == 1
        assert {min(look.side for look in dealt.values()), max(look.side for look in dealt.values())} == set(SIDES)
        opacities = {look.opacity for look in dealt.values()}
        assert {min(opacities), max(opacities)} == set(OPACITIES)
    assert looks(1) != looks(2)


def test_a_disc_covers_its_area_in_its_two_colours():
    sprite = draw(DISC, 40, 0, odd=(0, 0))
    assert sprite.cover.shape == (40, 40)
    assert sprite.cover.sum() / 256 == pytest.approx(np.pi * (20 * 1000 / 1024) ** 2, rel=0.01)
    assert sprite.cover[20, 20] == 256
    assert sprite.cover[0, 0] == 0
    body, mark = (yuv(colour) for colour in COLOURS["poppy"])
    assert (sprite.luma[20, 20], sprite.blue[10, 10], sprite.red[10, 10]) == body
    assert (sprite.luma[20, 2], sprite.blue[10, 1], sprite.red[10, 1]) == mark  # the rim
    within = (sprite.luma >= body[0]) & (sprite.luma <= mark[0])
    assert within[sprite.cover > 0].all()


@pytest.mark.parametrize("odd", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("side", [40, 41])
def test_blocks_cover_the_pixels_wherever_the_sprite_starts(side, odd):
    sprite = draw(DISC, side, 0, odd=odd)
    assert sprite.block_cover.shape == tuple((side + first + 1) // 2 for first in odd)
    assert sprite.block_cover.sum() * 4 == pytest.approx(sprite.cover.sum(), rel=0.005)


def test_a_quarter_turn_turns_clockwise():
    bow = DISC._replace(shape="drop", texture="half")
    upright, turned = draw(bow, 48, 0, odd=(0, 0)), draw(bow, 48, TURN // 4, odd=(0, 0))
    assert np.abs(np.rot90(upright.cover, -1) - turned.cover).mean() < 4
