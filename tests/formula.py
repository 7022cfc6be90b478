"""Weights, lexicons and psi by formula: the golden values of tests/data/golden_released.npz were computed on these.

A tensor is drawn from a generator that its name, in the authors' naming, seeds; so golden values need no checkpoint.
"""

import zlib

import numpy as np

ACTIONS, AUDIO, TEXT = 313, 384, 300


def tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor of this name and shape."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return np.array(0, dtype=np.int64)
    if name.endswith("running_var"):
        return random.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) >= 2:
        inputs = int(np.prod(shape[1:])) if len(shape) > 2 or "graph" not in name else shape[0]
        return (random.normal(size=shape) * np.sqrt(1.6 / inputs)).astype(np.float32)
    if name.endswith("weight"):
        return random.uniform(0.6, 1.2, shape).astype(np.float32)
    return (0.1 * random.normal(size=shape)).astype(np.float32)


def psi() -> np.ndarray:
    """P(j | i), N x N."""
    made = np.random.default_rng(11).random((ACTIONS, ACTIONS)) ** 5
    np.fill_diagonal(made, 0)
    return made


def audio() -> np.ndarray:
    """One form an action, N x P."""
    return np.random.default_rng(12).normal(size=(ACTIONS, AUDIO))


def text() -> np.ndarray:
    """One form an action, N x Q."""
    return np.random.default_rng(13).normal(size=(ACTIONS, TEXT))
