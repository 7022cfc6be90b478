"""Integer sine: right, and rounded where no library can round otherwise."""

import math

import numpy as np

from pipeline.dataset.sample.sine import ONE, TURN, cosine_of, sine, sine_of


def test_known_values():
    assert [sine_of(TURN * part // 8) for part in (0, 1, 2, 4, 6)] == [0, 11585, ONE, 0, -ONE]  # ONE / sqrt(2): 11585.2
    assert cosine_of(0) == ONE
    assert cosine_of(TURN // 2) == -ONE
    assert sine_of(-TURN // 4) == sine_of(3 * TURN // 4) == -ONE


def test_arrays_and_numbers_agree_over_several_turns():
    angles = np.arange(-2 * TURN, 2 * TURN, 7)
    assert sine(angles).tolist() == [sine_of(int(angle)) for angle in angles]


def test_every_value_is_within_half_a_step():
    exact = ONE * np.sin(2 * np.pi * np.arange(TURN) / TURN)
    assert np.abs(sine(np.arange(TURN)) - exact).max() <= 0.5


def test_no_value_lies_near_a_half():
    parts = [math.sin(2 * math.pi * step / TURN) * ONE % 1 for step in range(TURN)]
    assert min(abs(part - 0.5) for part in parts) > 1e-6
