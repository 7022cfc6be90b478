"""Log-mel patches as AudioSet released them for VGGish: the network's input.

In float64 from the samples to the logarithm, as the released NumPy code computes them, and float32 only where they
enter the network: that is the reference, and still under a fiftieth of the network's own time.
"""

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

RATE = 16_000  # Hz
WINDOW = 400  # samples: 25 ms
HOP = 160  # samples: 10 ms
FFT = 512  # the next power of two
BANDS = 64
LOWEST, HIGHEST = 125.0, 7500.0  # Hz: edges of the first and of the last triangle
OFFSET = 0.01  # keeps the logarithm of silence finite
PATCH_FRAMES = 96  # 0.96 s


def samples_for(patches: int) -> int:
    """Samples that `patches` whole patches need: the last window ends with them, nothing is padded."""
    return WINDOW + (patches * PATCH_FRAMES - 1) * HOP


def log_mel_patches(samples: np.ndarray) -> np.ndarray:
    """Cut a sound into patches that do not overlap; what is left after the last whole one is dropped.

    Args:
        samples: S, mono at 16 kHz, in [-1, 1].

    Returns:
        patches x 96 frames x 64 bands, float64.
    """
    frames = log_mel(samples)
    whole = len(frames) // PATCH_FRAMES
    return frames[: whole * PATCH_FRAMES].reshape(whole, PATCH_FRAMES, BANDS)


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Log-mel spectrogram: magnitude (not power), no padding at either end.

    Args:
        samples: S, mono at 16 kHz, in [-1, 1].

    Returns:
        frames x 64 bands, float64; no frame where S is under one window.
    """
    if len(samples) < WINDOW:
        return np.zeros((0, BANDS))
    windows = sliding_window_view(samples, WINDOW)[::HOP] * hann_window()
    magnitude = np.abs(np.fft.rfft(windows, FFT))
    frames: np.ndarray = np.log(magnitude @ mel_weights() + OFFSET)
    return frames


@cache
def hann_window() -> np.ndarray:
    """The periodic Hann window, float64: its period is 400 samples, where the symmetric one has 399."""
    window: np.ndarray = 0.5 - 0.5 * np.cos(2.0 * np.pi / WINDOW * np.arange(WINDOW))
    return window


@cache
def mel_weights() -> np.ndarray:
    """Triangles that are linear in mel, not in Hz: 257 bins x 64 bands, float64; the zero-frequency bin is off."""
    edges = np.linspace(mel(LOWEST), mel(HIGHEST), BANDS + 2)
    lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
    bins = mel(np.linspace(0.0, RATE / 2, FFT // 2 + 1))[:, None]
    rising, falling = (bins - lower) / (center - lower), (upper - bins) / (upper - center)
    weights: np.ndarray = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    return weights


def mel(hertz: np.ndarray | float) -> np.ndarray:
    """Mel of a frequency in Hz, on HTK's scale."""
    return np.asarray(1127.0 * np.log(1.0 + np.asarray(hertz) / 700.0))
