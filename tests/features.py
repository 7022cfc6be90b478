"""A small folder of imported features, written as `m3a import-features` writes it."""

from pathlib import Path

import numpy as np

from pipeline.exchange.feature_folder import Item, Origin, write_folder
from pipeline.foundations.tables.features import FeatureFolder
from pipeline.foundations.tables.manifest import Quantization

ACTIONS = ("diving", "singing", "running")
BYTES = Quantization(scale=4 / 255, offset=-2.0)
SILENT = np.full(6, 7, np.uint8)
ORIGIN = Origin(
    title="a test", origin="drawn at random", licence="none", model="noise", sound_model="noise", revision="1",
    preprocessing="none", sound_preprocessing="none", standardize=False, constant=None, of_sound=False, whitened=True,
    quantization=BYTES, sound_quantization=BYTES,
)  # fmt: skip


def items(videos: int = 60, *, views: int = 1, kind: type = np.uint8) -> list[Item]:
    """Videos in no order: every fifth without sound, every fourth of the others silent; vectors of 4, forms of 6."""
    random, sounds = np.random.default_rng(0), np.random.default_rng(1)
    made = []
    for number in random.permutation(videos).tolist():
        vectors = random.integers(0, 256, (views, 4)).astype(kind)
        form = SILENT if number % 4 == 0 else sounds.integers(0, 256, 6).astype(np.uint8)
        split = "train" if number < videos // 2 else "val" if number < 2 * videos // 3 else "test"
        labels = tuple(sorted({ACTIONS[number % 3], ACTIONS[number % 2]}))
        made.append(Item(f"v{number:03d}", split, labels, vectors, None if number % 5 == 0 else form))
    return made


def folder(path: Path, origin: Origin = ORIGIN, **how) -> FeatureFolder:
    """Write it at `path` and open it."""
    write_folder(path, items(**how), ACTIONS, origin)
    return FeatureFolder.open(path / "annotations", path / "features")
