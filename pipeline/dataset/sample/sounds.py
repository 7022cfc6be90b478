"""What each action sounds like: a timbre, a rhythm and a pitch, dealt by the seed, and a loudness.

Integer arithmetic throughout, at RATE samples a second; a timbre is played at full scale, its rhythm shapes it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from pipeline.dataset.sample.cooccurrence import ACTIONS
from pipeline.dataset.sample.rhythms import RHYTHMS
from pipeline.dataset.sample.sine import ONE, TURN, Integers, sine
from pipeline.dataset.sample.traits import deal, spread
from pipeline.foundations.tables.seeds import generator

RATE = 44_100
"""Samples a second."""
PITCHES = {"p1": 180, "p2": 277, "p3": 427, "p4": 657, "p5": 1012, "p6": 1559, "p7": 2400, "p8": 3697}
"""In hertz; each about 1.54 times the one before."""
LOUDNESS = (1800, 7400)
"""Softest and loudest action, as the peak of 32768: -25 to -13 dBFS."""
FAINT = 5
"""Peak of a sound track far below the threshold, of 32768: -76 dBFS."""
_FINE = 1 << 20
"""A phase counts in steps of TURN times this."""


class Voice(NamedTuple):
    """How an action sounds."""

    timbre: str
    rhythm: str
    pitch: str
    loudness: int
    """Peak, of 32768."""


@cache
def voices(seed: int) -> Mapping[str, Voice]:
    """The voice of each action."""
    rng = generator(seed, "voices")
    kinds = {"timbre": list(TIMBRES), "pitch": list(PITCHES), "rhythm": list(RHYTHMS)}
    traits = deal(rng, ACTIONS, kinds)
    loudness = spread(rng, len(ACTIONS), *LOUDNESS)
    return {
        action: Voice(**trait, loudness=peak) for action, trait, peak in zip(ACTIONS, traits, loudness, strict=True)
    }


def soundtrack(seed: int, name: str, actions: Sequence[str], samples: int) -> np.ndarray:
    """The heard actions' sounds and a little room noise; int16 of shape (samples,), mono, RATE a second.

    Pitch, tempo, start and loudness vary from video to video.
    """
    rng = generator(seed, "soundtrack", name)
    room = int(rng.integers(30, 160))
    total = rng.integers(-room, room + 1, size=samples)
    for action in actions:
        voice = voices(seed)[action]
        pitch = PITCHES[voice.pitch] * int(rng.integers(94, 107)) // 100
        sound = TIMBRES[voice.timbre](rng, pitch, samples)
        tempo = int(rng.integers(88, 113))
        time = np.arange(samples) * tempo // 100 + int(rng.integers(RATE))
        peak = voice.loudness * int(rng.integers(70, 131)) // 100
        total += (sound * RHYTHMS[voice.rhythm](time, RATE) >> 8) * peak // ONE
    return np.clip(total, -32768, 32767).astype(np.int16)


def hush(seed: int, name: str, samples: int) -> np.ndarray:
    """Noise far below the threshold of hearing; int16 of shape (samples,)."""
    return generator(seed, "hush", name).integers(-FAINT, FAINT + 1, size=samples).astype(np.int16)


def _oscillate(hertz: Integers | int, samples: int) -> Integers:
    """A sine of a frequency, fixed or one a sample; ONE x its value."""
    step = np.broadcast_to(np.asarray(hertz, dtype=np.int64), (samples,)) * TURN * _FINE // RATE
    return sine(np.cumsum(step) // _FINE)


def _tone(rng: np.random.Generator, pitch: int, samples: int) -> Integers:
    return _oscillate(pitch, samples)


def _organ(rng: np.random.Generator, pitch: int, samples: int) -> Integers:
    return (_oscillate(pitch, samples) * 4 + _oscillate(2 * pitch, samples) * 3 + _oscillate(3 * pitch, samples)) // 8


def _chord(rng: np.random.Generator, pitch: int, samples: int) -> Integers:
    return (_oscillate(pitch, samples) + _oscillate(pitch * 5 // 4, samples) + _oscillate(pitch * 3 // 2, samples)) // 3


def _buzz(rng: np.random.Generator, pitch: int, samples: int) -> Integers:
    ramp = np.arange(samples) * pitch * 2 * ONE // RATE
    return ramp % (2 * ONE) - ONE


def _noise(rng: np.random.Generator, pitch: int, samples: int) -> Integers:
    """A band of noise around the pitch: slow noise times a tone."""
    hold = RATE // max(pitch // 2, 120)
    knots = rng.integers(-ONE, ONE + 1, size=samples // hold + 2)
    part = np.arange(hold)
    slow = ((knots[:-1, None] * (hold - part) + knots[1:, None] * part) // hold).reshape(-1)[:samples]
    return slow * _oscillate(pitch, samples) // ONE


def _warble(rng: np.random.Generator, pitch: int, samples: int) -> Integers:
    return _oscillate(pitch + _oscillate(9, samples) * pitch // (6 * ONE), samples)


def _chirp(rng: np.random.Generator, pitch: int, samples: int) -> Integers:
    """From two thirds of the pitch to one and a half of it, again and again."""
    span = RATE * 3 // 10
    return _oscillate(pitch * 2 // 3 + np.arange(samples) % span * pitch * 5 // (6 * span), samples)


def _crackle(rng: np.random.Generator, pitch: int, samples: int) -> Integers:
    """Clicks at random times, each ringing shortly at the pitch."""
    length = RATE // 50
    fade = (length - np.arange(length)) ** 2 * ONE // length**2
    click = _oscillate(pitch, length) * fade // ONE
    sound = np.zeros(samples + length, dtype=np.int64)
    for start in rng.integers(samples, size=samples * 30 // RATE):
        sound[start : start + length] += click
    return np.clip(sound[:samples], -ONE, ONE)


TIMBRES: Mapping[str, Callable[[np.random.Generator, int, int], Integers]] = {
    "tone": _tone,
    "organ": _organ,
    "chord": _chord,
    "buzz": _buzz,
    "noise": _noise,
    "warble": _warble,
    "chirp": _chirp,
    "crackle": _crackle,
}
"""From a generator, a pitch in hertz and a number of samples to the sound; int64 within ONE."""
