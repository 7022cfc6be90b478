"""The networks that embed the sound of a clip, identified by the header of their weights.

vggish       16,000 samples a second, 3 log-mel patches x 96 x 64 -> 3 x 128: the paper's
soundnet8    22,050 samples a second, three seconds as they are -> 1024: the M-MiT baseline's (Monfort et al. 2019)
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from torch import nn

from pipeline.audio import logmel, soundnet
from pipeline.audio.vggish import load_vggish
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables.tables import FORM_SIZE, PATCHES

CLIP_SAMPLES = logmel.samples_for(PATCHES)
"""46,320 at 16 kHz, which three patches need: 2.895 s; the rest of a clip is dropped."""
SOUNDNET_SAMPLES = 3 * soundnet.RATE
"""Three seconds, of which conv7 has three steps; their mean is the embedding."""


class Embedder(NamedTuple):
    """The input of a network."""

    rate: int
    """Samples a second."""
    samples: int
    """Samples that are used; the rest is dropped."""
    shape: tuple[int, ...]
    """Number of patches, and the shape of each."""
    given: Callable[[np.ndarray], np.ndarray]
    """Computes the input from a clip's samples, mono at `rate`."""
    load: Callable[[Path], nn.Module]
    """The network with the weights of a file: a patch each row in, its embedding out."""


def clip_patches(samples: np.ndarray) -> np.ndarray:
    """The log-mel patches of a clip: of its first 2.895 s, with zeros at the end where it is shorter.

    Args:
        samples: S, mono at 16 kHz.

    Returns:
        3 x 96 x 64, float64.
    """
    return logmel.log_mel_patches(_filled(samples, CLIP_SAMPLES))


def clip_samples(samples: np.ndarray) -> np.ndarray:
    """The first three seconds of a clip, with zeros at the end where it is shorter.

    Args:
        samples: S, mono at 22,050 a second.

    Returns:
        1 x 66,150, as they come.
    """
    return _filled(samples, SOUNDNET_SAMPLES)[None]


def _filled(samples: np.ndarray, count: int) -> np.ndarray:
    heard = samples[:count]
    return np.pad(heard, (0, count - len(heard)))


EMBEDDERS: Mapping[str, Embedder] = {
    "vggish": Embedder(
        logmel.RATE, CLIP_SAMPLES, (PATCHES, logmel.PATCH_FRAMES, logmel.BANDS), clip_patches, load_vggish
    ),
    soundnet.NETWORK: Embedder(
        soundnet.RATE, SOUNDNET_SAMPLES, (1, SOUNDNET_SAMPLES), clip_samples, soundnet.load_soundnet
    ),
}


def form_size(source: str) -> int:
    """P, the numbers of an embedding of a clip, by `vggish.source`; of imported ones the paper's, as a guess."""
    return soundnet.FEATURES if source == "soundnet" else FORM_SIZE


def embedder_of(weights: Path) -> Embedder:
    """The embedder whose weights a safetensors file has; a header without a network means VGGish.

    Raises:
        PlainError: the file cannot be read, or is of a network that embeds no sound.
    """
    try:
        with safe_open(weights, framework="pt") as file:
            name = (file.metadata() or {}).get("network", "vggish")
    except (OSError, SafetensorError) as error:
        raise PlainError(f"{weights}: cannot be read as safetensors: {error}; run `dvc repro fetch_weights`") from error
    if name not in EMBEDDERS:
        raise PlainError(f"{weights}: found weights of {name}, expected one of {', '.join(EMBEDDERS)}")
    return EMBEDDERS[name]
