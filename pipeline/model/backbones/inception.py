"""I3D on Inception v1 (Carreira and Zisserman 2017), as DeepMind published it with weights of Kinetics-400.

clips (B x 3 x T x Y x X) -> layer1 -> layer2 -> layer3 -> layer4 -> feature map (B x 1024 x T' x Y' x X')

layer1   7 x 7 x 7 by 2, max-pooling in space, 1 x 1 x 1, 3 x 3 x 3          (Conv3d_1a to 2c)
layer2   max-pooling in space, two Inception modules                         (MaxPool3d_3a to Mixed_3c)
layer3   max-pooling in space and time, five modules                         (MaxPool3d_4a to Mixed_4f)
layer4   max-pooling in space and time, two modules                          (MaxPool3d_5a to Mixed_5c)

Everything is padded as TensorFlow does it; batch norm shifts, and does not scale; eps is 1e-3. Clips are in [-1, 1],
which `frames.mean` and `frames.std` of 0.5 give, 64 frames of 224 x 224 at 25 a second as published.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.model.backbones.backbone import Backbone, BatchNorm
from pipeline.model.backbones.same import SameConv3d, SameMaxPool3d, Triple, same_padding

PUBLISHED_BATCH_NORM = BatchNorm(eps=1e-3, momentum=1e-3)  # Sonnet's decay of 0.999 is torch's momentum of 0.001
ONE, THREE, SEVEN = (1, 1, 1), (3, 3, 3), (7, 7, 7)
IN_SPACE = (1, 2, 2)
WIDTHS: dict[str, tuple[int, int, int, int, int, int]] = {
    "mixed3b": (64, 96, 128, 16, 32, 32),
    "mixed3c": (128, 128, 192, 32, 96, 64),
    "mixed4b": (192, 96, 208, 16, 48, 64),
    "mixed4c": (160, 112, 224, 24, 64, 64),
    "mixed4d": (128, 128, 256, 24, 64, 64),
    "mixed4e": (112, 144, 288, 32, 64, 64),
    "mixed4f": (256, 160, 320, 32, 128, 128),
    "mixed5b": (256, 160, 320, 32, 128, 128),
    "mixed5c": (384, 192, 384, 48, 128, 128),
}
"""Of each module: branch 0; branch 1's two convolutions; branch 2's two; branch 3."""


class InceptionI3d(Backbone):
    """A 3D-CNN, from clips to a feature map of 1,024 channels."""

    def __init__(self) -> None:
        super().__init__()
        stem = OrderedDict(
            conv1a=_unit(3, 64, SEVEN, (2, 2, 2)), pool2a=SameMaxPool3d((1, 3, 3), IN_SPACE),
            conv2b=_unit(64, 64, ONE), conv2c=_unit(64, 192, THREE),
        )  # fmt: skip
        self.layer1 = nn.Sequential(stem)
        self.layer2, width = _layer(192, "pool3a", SameMaxPool3d((1, 3, 3), IN_SPACE), ("mixed3b", "mixed3c"))
        fourth = ("mixed4b", "mixed4c", "mixed4d", "mixed4e", "mixed4f")
        self.layer3, width = _layer(width, "pool4a", SameMaxPool3d(THREE, (2, 2, 2)), fourth)
        self.layer4, self.features = _layer(
            width, "pool5a", SameMaxPool3d((2, 2, 2), (2, 2, 2)), ("mixed5b", "mixed5c")
        )
        self.batch_norm = PUBLISHED_BATCH_NORM
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, clips: Tensor) -> Tensor:
        """Feature map, B x 1024 x T' x Y' x X', from clips, B x 3 x T x Y x X."""
        feature_map: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(clips))))
        return feature_map

    def first_centres(self, layer: str, shape: Sequence[int]) -> tuple[float, float, float]:
        """As `Backbone.first_centres`: padding is uneven, so cells do not stand on the multiples of the stride."""
        found = [_first_centre(self._strided(layer), axis, size) for axis, size in enumerate(shape)]
        return found[0], found[1], found[2]

    def _strided(self, layer: str) -> list[tuple[Triple, Triple]]:
        """Kernel and stride of all up to the end of a layer that halves an axis, first to last."""
        layers = ("layer1", "layer2", "layer3", "layer4")
        passed = layers[: layers.index(layer) + 1]
        modules = [module for name in passed for module in self.get_submodule(name).modules()]
        return [
            (_triple(module.kernel_size), _triple(module.stride))
            for module in modules
            if isinstance(module, SameConv3d | SameMaxPool3d) and max(module.stride) > 1
        ]


class Inception(nn.Module):
    """Four branches side by side: 1 x 1 x 1; 1 and 3; 1 and 3; 3 x 3 x 3 max-pooling and 1."""

    def __init__(self, inputs: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        first, reduced1, second, reduced2, third, fourth = widths
        self.branch0 = _unit(inputs, first, ONE)
        self.branch1 = nn.Sequential(_unit(inputs, reduced1, ONE), _unit(reduced1, second, THREE))
        self.branch2 = nn.Sequential(_unit(inputs, reduced2, ONE), _unit(reduced2, third, THREE))
        self.branch3 = nn.Sequential(SameMaxPool3d(THREE, ONE), _unit(inputs, fourth, ONE))

    def forward(self, x: Tensor) -> Tensor:
        """The branches' channels, one after another."""
        return torch.cat([self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)], dim=1)


class ShiftNorm3d(nn.BatchNorm3d):
    """Batch norm without a scale of its own: its weight is 1 and not trained."""

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.weight.requires_grad = False


def _unit(inputs: int, outputs: int, kernel: Triple, stride: Triple = ONE) -> nn.Sequential:
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv=SameConv3d(inputs, outputs, kernel, stride), norm=ShiftNorm3d(outputs), relu=nn.ReLU(inplace=True)
    )
    return nn.Sequential(parts)


def _layer(inputs: int, pool: str, pooling: nn.Module, names: Sequence[str]) -> tuple[nn.Sequential, int]:
    """Pooling and the modules behind it; and how many channels come out."""
    parts: OrderedDict[str, nn.Module] = OrderedDict({pool: pooling})
    for name in names:
        parts[name] = Inception(inputs, WIDTHS[name])
        first, _, second, _, third, fourth = WIDTHS[name]
        inputs = first + second + third + fourth
    return nn.Sequential(parts), inputs


def _first_centre(strided: Sequence[tuple[Triple, Triple]], axis: int, size: int) -> float:
    """Where cell 0 looks along one axis: each window's middle, in cells before it, then in pixels."""
    centre, step = 0.0, 1
    for kernel, stride in strided:
        middle = (kernel[axis] - 1) / 2 - same_padding(size, kernel[axis], stride[axis]).before
        centre, step, size = centre + middle * step, step * stride[axis], -(-size // stride[axis])
    return centre


def _triple(values: Sequence[int]) -> Triple:
    return values[0], values[1], values[2]
