"""Rhythms: within range, with the period that they are meant to have."""

import numpy as np
import pytest

from pipeline.dataset.sample.rhythms import RHYTHMS

RATE = 44_100
PERIODS = {"steady": 0.2, "slow": 0.7, "quick": 1 / 7, "swell": 1.0, "pluck": 0.36, "uneven": 1.0}


@pytest.mark.parametrize("name", RHYTHMS)
def test_an_envelope_keeps_to_its_range_and_period(name):
    envelope = RHYTHMS[name](np.arange(4 * RATE), RATE)
    assert envelope.min() >= 0
    assert 240 <= envelope.max() <= 256
    period = int(PERIODS[name] * RATE)
    shifted = np.abs(envelope[period:] - envelope[:-period]).mean()
    halved = np.abs(envelope[period // 2 :] - envelope[: -(period // 2)]).mean()
    assert shifted < 3 < 15 < halved


@pytest.mark.parametrize(("name", "share"), [("slow", 4 / 7), ("quick", 1 / 2), ("uneven", 4 / 8 * 4 / 5)])
def test_a_gate_is_open_for_its_share_of_the_time(name, share):
    envelope = RHYTHMS[name](np.arange(14 * RATE), RATE)
    assert (envelope > 128).mean() == pytest.approx(share, abs=0.05)
