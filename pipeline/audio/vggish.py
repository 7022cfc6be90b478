"""VGGish: 0.96 s of log-mel in, a 128-d embedding out (Hershey et al., 2017; AudioSet's released network).

Two details that ports often miss: the feature map is flattened in height, width, channel order, as in TensorFlow, and
the embedding is taken before any activation.
"""

import math
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import finite
from pipeline.foundations.tables.seeds import generator

EMBEDDING_SIZE = 128
PARAMETERS = 72_141_184
TOGETHER = 16
"""Patches whose feature maps are held at once: their 25 MB are reused, where more would go back to the system and
come again as fresh pages, a sixth of the time."""


class Vggish(nn.Module):
    """The network. Shapes: B patches, T 96 frames, M 64 mel bands, E 128."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 3, padding=1)
        self.conv2 = nn.Conv2d(64, 128, 3, padding=1)
        self.conv3_1 = nn.Conv2d(128, 256, 3, padding=1)
        self.conv3_2 = nn.Conv2d(256, 256, 3, padding=1)
        self.conv4_1 = nn.Conv2d(256, 512, 3, padding=1)
        self.conv4_2 = nn.Conv2d(512, 512, 3, padding=1)
        self.fc1_1 = nn.Linear(6 * 4 * 512, 4096)
        self.fc1_2 = nn.Linear(4096, 4096)
        self.fc2 = nn.Linear(4096, EMBEDDING_SIZE)

    def forward(self, patches_BTM: Tensor) -> Tensor:
        """Embed log-mel patches, B x 96 x 64, as B x 128."""
        x_B = torch.cat([self._convolve(part) for part in torch.split(patches_BTM, TOGETHER)])
        x_B = F.relu(self.fc1_1(x_B))
        x_B = F.relu(self.fc1_2(x_B))
        x_BE: Tensor = self.fc2(x_B)
        return x_BE

    def _convolve(self, patches_BTM: Tensor) -> Tensor:
        """The four groups of convolutions, flattened: B x 12288."""
        x = patches_BTM.unsqueeze(1)
        for group in ((self.conv1,), (self.conv2,), (self.conv3_1, self.conv3_2), (self.conv4_1, self.conv4_2)):
            for layer in group[:-1]:
                x = F.relu(layer(x), inplace=True)
            x = F.relu(F.max_pool2d(group[-1](x), 2), inplace=True)  # in this order a quarter of the work
        return x.permute(0, 2, 3, 1).flatten(1)  # height, width, channel


def seeded_weights(seed: int) -> dict[str, np.ndarray]:
    """Random weights of the same architecture, from the seed: for trying the pipeline without the real ones.

    Uniform within He's bound sqrt(6 / inputs), so that the signal keeps its scale through the layers; biases are zero.
    They are whole 24-bit numbers from PCG64's raw stream times one scale a tensor, and a product of two floats is the
    same everywhere: so are the bytes.
    """
    weights: dict[str, np.ndarray] = {}
    for name, shape in _shapes().items():
        if name.endswith(".bias"):
            weights[name] = np.zeros(shape, np.float32)
        else:
            bound = math.sqrt(6.0 / math.prod(shape[1:]))
            weights[name] = _uniform(seed, name, shape) * np.float32(bound)
    return weights


def _shapes() -> dict[str, tuple[int, ...]]:
    """Every tensor's shape, in the network's order."""
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in Vggish().state_dict().items()}


def _uniform(seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Float32 in [-1, 1), from the upper 24 bits of 32-bit words."""
    count = math.prod(shape)
    words = generator(seed, "vggish", name).bit_generator.random_raw((count + 1) // 2)  # type: ignore[attr-defined]
    whole = (words.astype("<u8", copy=False).view("<u4")[:count] >> 8).astype(np.int32) - 2**23
    return (whole.astype(np.float32) * np.float32(2.0**-23)).reshape(shape)


def is_untrained(path: Path) -> bool:
    """Whether a file's header says that its weights come from a seed.

    Raises:
        PlainError: the file is absent, or is no safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get("trained") == "no"
    except (OSError, SafetensorError) as error:
        raise PlainError(f"{path}: cannot be read as safetensors: {error}") from error


def load_vggish(path: Path) -> Vggish:
    """The network with the weights of a safetensors file, in evaluation mode, on the CPU.

    Raises:
        PlainError: the file is absent, is no safetensors file, or its tensors are not VGGish's, or not finite.
    """
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise PlainError(f"{path}: cannot be read as safetensors: {error}; run stage fetch_weights") from error
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    expected = _shapes()
    if found != expected:
        wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise PlainError(
            f"{path}: not VGGish: {len(wrong)} tensors differ; {wrong[0]}: "
            f"found {found.get(wrong[0], 'none')}, expected {expected.get(wrong[0], 'none')}"
        )
    finite.check(path, weights)
    with torch.device("meta"):
        network = Vggish()
    network.load_state_dict({name: tensor.float() for name, tensor in weights.items()}, assign=True)
    # The memory format is a quarter faster on a CPU, and flattening in TensorFlow's order then copies nothing.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.requires_grad_(requires_grad=False).eval()
