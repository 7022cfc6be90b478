"""How sounds go on and off: six envelopes, 0 to 256, of time in samples."""

from collections.abc import Callable, Mapping

import numpy as np

from pipeline.dataset.sample.sine import ONE, TURN, Integers, sine

BAR = (1, 0, 0, 1, 0, 0, 1, 1)
"""Steps of the uneven rhythm: on or off."""


def _steady(time: Integers, rate: int) -> Integers:
    return 216 + sine(time * TURN * 5 // rate) * 40 // ONE


def _slow(time: Integers, rate: int) -> Integers:
    return _gate(time, rate * 7 // 10, rate * 4 // 10, rate)


def _quick(time: Integers, rate: int) -> Integers:
    return _gate(time, rate // 7, rate // 14, rate)


def _swell(time: Integers, rate: int) -> Integers:
    phase = time % rate
    return np.minimum(phase, rate - phase) * 512 // rate


def _pluck(time: Integers, rate: int) -> Integers:
    period = rate * 36 // 100
    phase = time % period
    fade = (period - phase) * 256 // period
    return fade * fade * np.minimum(phase, rate // 300) // (256 * (rate // 300))


def _uneven(time: Integers, rate: int) -> Integers:
    step = rate // 8
    return np.array(BAR)[time // step % len(BAR)] * _gate(time, step, step * 4 // 5, rate)


def _gate(time: Integers, period: int, open_for: int, rate: int) -> Integers:
    """Open for a part of each period, with edges of 5 ms."""
    phase, edge = time % period, rate // 200
    return np.clip(np.minimum(phase, open_for - phase), 0, edge) * 256 // edge


RHYTHMS: Mapping[str, Callable[[Integers, int], Integers]] = {
    "steady": _steady,
    "slow": _slow,
    "quick": _quick,
    "swell": _swell,
    "pluck": _pluck,
    "uneven": _uneven,
}
"""From times in samples and the rate in hertz to the envelope."""
