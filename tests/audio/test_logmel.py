"""The log-mel of VGGish, against the definition written out slowly and against what is known of it."""

import cmath
import math

import numpy as np
import pytest

from pipeline.audio.logmel import (
    BANDS,
    PATCH_FRAMES,
    RATE,
    hann_window,
    log_mel,
    log_mel_patches,
    mel,
    mel_weights,
    samples_for,
)


def literal_frame(samples: list[float]) -> list[float]:
    """One frame by the definition in DESIGN.md: sums and loops, no library."""
    windowed = [value * (0.5 - 0.5 * math.cos(2 * math.pi * n / 400)) for n, value in enumerate(samples)]
    magnitudes = [
        abs(sum(value * cmath.exp(-2j * math.pi * k * n / 512) for n, value in enumerate(windowed))) for k in range(257)
    ]

    def to_mel(hertz: float) -> float:
        return 1127 * math.log(1 + hertz / 700)

    low, high = to_mel(125), to_mel(7500)
    step = (high - low) / 65
    bands = []
    for band in range(64):
        start, peak, end = (low + (band + part) * step for part in range(3))
        total = 0.0
        for k in range(1, 257):
            at = to_mel(k * 16000 / 512)
            if start < at <= peak:
                total += magnitudes[k] * (at - start) / (peak - start)
            elif peak < at < end:
                total += magnitudes[k] * (end - at) / (end - peak)
        bands.append(math.log(total + 0.01))
    return bands


def sine(hertz: float, seconds: float, amplitude: float = 1.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(7).uniform(-1, 1, count)


def test_equals_the_definition_written_out_with_loops() -> None:
    samples = noise(400 + 2 * 160)
    frames = log_mel(samples)
    assert frames.shape == (3, 64)
    for index in (0, 2):
        start = index * 160
        np.testing.assert_allclose(frames[index], literal_frame(samples[start : start + 400].tolist()), atol=1e-11)


def test_float32_samples_are_heard_in_float64() -> None:
    samples = noise(4000).astype(np.float32)
    frames = log_mel(samples)
    assert frames.dtype == np.float64
    assert np.array_equal(frames, log_mel(samples.astype(np.float64)))


@pytest.mark.parametrize(
    ("samples", "frames"),
    [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (15_600, 96), (46_319, 287), (46_320, 288), (48_000, 298)],
)
def test_no_padding_at_either_end(samples: int, frames: int) -> None:
    assert log_mel(np.zeros(samples)).shape == (frames, BANDS)


@pytest.mark.parametrize(
    ("samples", "patches"), [(100, 0), (15_599, 0), (15_600, 1), (30_959, 1), (46_319, 2), (46_320, 3), (48_000, 3)]
)
def test_only_whole_patches_without_overlap(samples: int, patches: int) -> None:
    sound = noise(samples)
    found = log_mel_patches(sound)
    assert found.shape == (patches, PATCH_FRAMES, BANDS)
    if patches:
        assert np.array_equal(found.reshape(-1, BANDS), log_mel(sound)[: patches * PATCH_FRAMES])


def test_three_patches_need_46320_samples() -> None:
    assert samples_for(3) == 46_320
    assert samples_for(3) / RATE == 2.895
    assert samples_for(1) == 15_600


def test_three_seconds_of_a_1_khz_sine_are_three_patches() -> None:
    """The sound of AudioSet's own smoke test."""
    patches = log_mel_patches(sine(1000, 3))
    assert patches.shape == (3, 96, 64)
    edges = np.linspace(mel(125), mel(7500), 66)
    centers = edges[1:-1]
    nearest = int(np.argmin(np.abs(centers - mel(1000))))
    assert set(patches.argmax(axis=2).ravel()) == {nearest}
    # Bin 32 is at 1 kHz; a Hann window's sum over 400 samples is 200, half of it a real tone's line.
    line = 100 * mel_weights()[32, nearest]
    assert math.exp(patches.max()) > line


def test_a_tone_whose_period_divides_the_hop_sounds_the_same_in_every_frame() -> None:
    tone = np.tile(sine(1000, 16 / RATE), 3000)
    assert np.ptp(log_mel(tone), axis=0).max() < 1e-12


def test_silence_is_the_logarithm_of_the_offset() -> None:
    silence = log_mel(np.zeros(16_000))
    assert silence.shape == (98, 64)
    # To the last bit but one: NumPy may take another logarithm for a single number than for an array.
    np.testing.assert_allclose(silence, math.log(0.01), rtol=1e-15)


def test_magnitude_and_not_power() -> None:
    """Twice the amplitude is twice the mel value before the offset; power would give four times."""
    quiet, loud = (np.exp(log_mel(sine(440, 0.1, amplitude))) - 0.01 for amplitude in (0.25, 0.5))
    np.testing.assert_allclose(loud, 2 * quiet, rtol=1e-9, atol=1e-12)


def test_the_window_is_periodic() -> None:
    window = hann_window()
    assert window[0] == 0.0
    assert window[200] == 1.0
    assert window[1] == pytest.approx(window[399])
    assert window[399] > 0
    assert window.sum() == pytest.approx(200.0)


@pytest.mark.parametrize(("hertz", "expected"), [(0.0, 0.0), (700.0, 781.177), (1000.0, 999.99), (6300.0, 2595.013)])
def test_mel_scale_at_known_points(hertz: float, expected: float) -> None:
    """1000 Hz is 1000 mel on this scale; 700 Hz is 1127 ln 2, 6300 Hz 1127 ln 10."""
    assert float(mel(hertz)) == pytest.approx(expected, abs=0.01)


def test_each_triangle_covers_its_own_band() -> None:
    weights = mel_weights()
    hertz = np.linspace(0, 8000, 257)
    assert weights.shape == (257, 64)
    assert weights.min() >= 0.0
    assert weights.max() <= 1.0
    assert not weights[hertz <= 125].any()  # the zero-frequency bin among them
    assert not weights[hertz >= 7500].any()
    peaks = hertz[weights.argmax(axis=0)]
    assert (np.diff(peaks) >= 0).all()


def test_neighbouring_triangles_add_up_to_one_between_first_and_last_peak() -> None:
    edges = np.linspace(mel(125), mel(7500), 66)
    at = mel(np.linspace(0, 8000, 257))
    between = (at >= edges[1]) & (at <= edges[-2])
    np.testing.assert_allclose(mel_weights()[between].sum(axis=1), 1.0, atol=1e-12)
