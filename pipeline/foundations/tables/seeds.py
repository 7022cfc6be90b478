"""Random choices from the seed and a stable key (DESIGN.md, invariant 3).

A choice depends only on its key (a video id, an epoch), never on order, the number of workers or earlier draws.
"""

import hashlib

import numpy as np


def seed_of(seed: int, *key: str | int) -> int:
    """A 63-bit integer from `seed` and a key, the same on every machine."""
    name = "\x1f".join(str(part) for part in (seed, *key))
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *key: str | int) -> np.random.Generator:
    """A NumPy generator for the choice that `key` names."""
    return np.random.Generator(np.random.PCG64(seed_of(seed, *key)))
