"""SoundNet-8 (Aytar et al. 2016), the audio network of the M-MiT baseline: raw samples to 1,024 features.

samples (B x S, 22,050 a second, times 256) -> conv1 ... conv7 -> B x 1024 x T -> mean over time, B x 1024; three
seconds give T = 3

Each convolution pads by half its kernel, as published, and is followed by batch norm and ReLU; the last layer, conv8,
has a kernel of 8 and does not fit three seconds.
"""

from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import finite

NETWORK = "soundnet8"
"""In the header of its weights."""
RATE = 22_050
SCALE = 256.0
"""What samples in [-1, 1] are multiplied by."""
FEATURES = 1024
EPS = 1e-5  # Torch's own, with which it was trained


class Layer(NamedTuple):
    """A convolution over time, by 2, and the max-pooling behind it."""

    outputs: int
    kernel: int
    pool: int = 1


LAYERS = {
    "conv1": Layer(16, 64, pool=8),
    "conv2": Layer(32, 32, pool=8),
    "conv3": Layer(64, 16),
    "conv4": Layer(128, 8),
    "conv5": Layer(256, 4, pool=4),
    "conv6": Layer(512, 4),
    "conv7": Layer(FEATURES, 4),
}


class SoundNet(nn.Module):
    """SoundNet up to conv7."""

    def __init__(self) -> None:
        super().__init__()
        inputs = 1
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for name, layer in LAYERS.items():
            inner: OrderedDict[str, nn.Module] = OrderedDict(
                conv=nn.Conv1d(inputs, layer.outputs, layer.kernel, stride=2, padding=layer.kernel // 2),
                norm=nn.BatchNorm1d(layer.outputs, eps=EPS),
                relu=nn.ReLU(inplace=True),
            )
            if layer.pool > 1:
                inner["pool"] = nn.MaxPool1d(layer.pool)
            parts[name] = nn.Sequential(inner)
            inputs = layer.outputs
        self.layers = nn.Sequential(parts)

    def forward(self, samples_BS: Tensor) -> Tensor:
        """Embeddings, B x 1024, of samples in [-1, 1] at 22,050 a second: the mean of conv7 over time."""
        return self.conv7(samples_BS).mean(2)

    def conv7(self, samples_BS: Tensor) -> Tensor:
        """The last layer's map, B x 1024 x T."""
        map_BCT: Tensor = self.layers(SCALE * samples_BS[:, None])
        return map_BCT


def load_soundnet(path: Path) -> SoundNet:
    """SoundNet with the weights that `m3a convert-weights soundnet` wrote, for inference.

    Raises:
        PlainError: the file cannot be read, or holds other tensors.
    """
    network = SoundNet()
    try:
        tensors = load_file(path)
        finite.check(path, tensors)
        network.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise PlainError(
            f"{path}: not SoundNet's converted weights: {' '.join(str(error).split())[:200]}; make them: "
            "m3a convert-weights soundnet FILE.safetensors"
        ) from error
    return network.requires_grad_(requires_grad=False).eval()


def parameters() -> int:
    """Values of the network, batch norm statistics among them."""
    with torch.device("meta"):
        state = SoundNet().state_dict()
    return sum(value.numel() for name, value in state.items() if not name.endswith("num_batches_tracked"))
