"""Every random choice, from the seed and a stable name (DESIGN.md, invariant 3).

A choice never depends on order, on the number of workers or on what was drawn before: it is named by what it
is about (a video id, an epoch), so that it is the same whoever draws it and whenever.
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
