"""Voices: dealt apart from groups, at the pitch and the loudness that they are meant to have."""

import numpy as np
import pytest

from pipeline.dataset.sample.cooccurrence import ACTIONS
from pipeline.dataset.sample.sine import ONE
from pipeline.dataset.sample.sounds import FAINT, PITCHES, RATE, TIMBRES, hush, soundtrack, voices
from pipeline.dataset.sample.traits import most_shared
from pipeline.foundations.tables.seeds import generator

SECOND = RATE


def strongest(sound):
    """The frequency in hertz of the largest Fourier coefficient."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return np.argmax(spectrum) * RATE / len(sound)


def test_every_action_has_a_voice_of_its_own():
    dealt = voices(313)
    assert set(dealt) == set(ACTIONS)
    assert most_shared([dict(zip("abc", voice[:3], strict=True)) for voice in dealt.values()]) == 1


def test_voices_and_looks_are_dealt_anew_for_another_seed():
    assert voices(1) != voices(2)


@pytest.mark.parametrize("pitch", PITCHES.values())
@pytest.mark.parametrize("timbre", ["tone", "organ", "buzz"])
def test_the_fundamental_is_the_pitch(timbre, pitch):
    assert strongest(TIMBRES[timbre](generator(1, "x"), pitch, SECOND)) == pytest.approx(pitch, rel=0.01, abs=2)


def test_a_chord_has_three_tones():
    spectrum = np.abs(np.fft.rfft(TIMBRES["chord"](generator(1, "x"), 400, SECOND)))
    assert sorted(np.argsort(spectrum)[-3:].tolist()) == [400, 500, 600]


@pytest.mark.parametrize("timbre", ["noise", "warble", "chirp", "crackle"])
def test_other_timbres_lie_around_the_pitch(timbre):
    power = np.abs(np.fft.rfft(TIMBRES[timbre](generator(1, "x"), 1000, SECOND))) ** 2
    assert power[600:1600].sum() > 0.8 * power.sum()


@pytest.mark.parametrize("timbre", TIMBRES)
def test_a_timbre_plays_at_full_scale(timbre):
    sound = TIMBRES[timbre](generator(1, "x"), 500, SECOND)
    assert sound.shape == (SECOND,)
    assert 0.7 * ONE < np.abs(sound).max() <= ONE


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_as_loud_as_its_voice(action):
    loudness = voices(313)[action].loudness
    peaks = [np.abs(soundtrack(313, f"video {number}", [action], SECOND).astype(int)).max() for number in range(3)]
    assert all(0.45 * loudness < peak < 1.3 * loudness + 160 for peak in peaks)


def test_a_sound_track_is_audible_and_never_wraps():
    loud = sorted(ACTIONS, key=lambda action: voices(313)[action].loudness)[-4:]
    track = soundtrack(313, "x", loud, 3 * RATE)
    assert track.dtype == np.int16
    assert track.shape == (3 * RATE,)
    assert np.abs(np.diff(track.astype(int))).max() < 45_000


def test_a_hush_is_far_below_the_threshold_but_not_silent(params):
    track = hush(313, "x", RATE)
    assert np.abs(track).max() == FAINT
    assert 20 * np.log10(FAINT / 32768) < params.filter_silent.peak_dbfs - 10
