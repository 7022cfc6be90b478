"""3D-CNNs of residual blocks, from one builder: R(2+1)D and R3D (Tran et al. 2018), I3D on ResNet-50, ResNet3D-50.

clips (B x 3 x T x Y x X) -> stem -> layer1 -> layer2 -> layer3 -> layer4 -> feature map (B x C x T' x Y' x X')

R3D      3 x 3 x 3 convolutions in basic blocks; layers 2 to 4 halve time and space
R(2+1)D  the same, each convolution a 1 x 3 x 3 in space, batch norm, ReLU, and a 3 x 1 x 1 in time
I3D      bottlenecks, inflated to 3 x 1 x 1 in every other block; time is halved once, after layer 1
ResNet3D bottlenecks with 3 x 3 x 3 (Hara et al. 2018), behind 7 x 7 x 7 and 3 x 3 x 3 max-pooling that halves time too;
         the baseline of Multi-Moments in Time (Monfort et al. 2019)
TIN      ResNet-50 over each of 8 frames; between them, temporal interlacing before each block (`interlace.py`)
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.model.backbones.backbone import Backbone
from pipeline.model.backbones.factored import Factored, Triple
from pipeline.model.backbones.interlace import TemporalInterlace

Kind = Literal["3d", "2+1d", "inflated", "bottleneck", "interlaced"]
BOTTLENECK = 4  # a bottleneck puts out four times its inner width
BOTTLENECKS = ("inflated", "bottleneck", "interlaced")
INFLATED_BLOCKS = {1: (0, 1, 2), 2: (0, 2), 3: (0, 2, 4), 4: (1,)}  # released code, Wang et al. 2018


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The parameters of an architecture."""

    kind: Kind
    blocks: tuple[int, int, int, int]
    """Residual blocks in each layer."""
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    """Channels in each layer; inside the bottleneck, where there is one."""
    stem_middle: int = 45
    """Channels between the stem's two convolutions (2+1d); the published networks' 45 follows no rule."""

    @property
    def features(self) -> int:
        """C, the channels of the feature map."""
        return self.widths[-1] * (BOTTLENECK if self.kind in BOTTLENECKS else 1)


ARCHITECTURES = {
    "r2plus1d_34": Architecture(kind="2+1d", blocks=(3, 4, 6, 3)),
    "r2plus1d_18": Architecture(kind="2+1d", blocks=(2, 2, 2, 2)),
    "r3d_18": Architecture(kind="3d", blocks=(2, 2, 2, 2)),
    "i3d_50": Architecture(kind="inflated", blocks=(3, 4, 6, 3)),
    "tin_r50": Architecture(kind="interlaced", blocks=(3, 4, 6, 3)),
    "resnet3d50": Architecture(kind="bottleneck", blocks=(3, 4, 6, 3)),
    "r3d_tiny": Architecture(kind="3d", blocks=(1, 1, 1, 1), widths=(16, 32, 64, 128)),
    "r2plus1d_tiny": Architecture(kind="2+1d", blocks=(1, 1, 1, 1), widths=(16, 32, 64, 128), stem_middle=12),
}


class ResNet3d(Backbone):
    """A 3D-CNN, from clips to a feature map."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        kind, widths, blocks = architecture.kind, architecture.widths, architecture.blocks
        self.features = architecture.features
        self.stem = _stem(kind, widths[0], architecture.stem_middle)
        self.layer1 = _layer(kind, 1, widths[0], widths[0], blocks[0])
        self.pool = nn.MaxPool3d((2, 1, 1)) if kind == "inflated" else nn.Identity()
        grown = BOTTLENECK if kind in BOTTLENECKS else 1
        self.layer2 = _layer(kind, 2, widths[0] * grown, widths[1], blocks[1])
        self.layer3 = _layer(kind, 3, widths[1] * grown, widths[2], blocks[2])
        self.layer4 = _layer(kind, 4, widths[2] * grown, widths[3], blocks[3])
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, clips: Tensor) -> Tensor:
        """Feature map, B x C x T' x Y' x X', from clips, B x 3 x T x Y x X."""
        x = self.pool(self.layer1(self.stem(clips)))
        feature_map: Tensor = self.layer4(self.layer3(self.layer2(x)))
        return feature_map


class Residual(nn.Module):
    """relu(body(x) + shortcut(x))."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        return F.relu(self.body(x) + self.shortcut(x), inplace=True)


def middle_width(inputs: int, outputs: int) -> int:
    """Channels between the two halves of a (2+1)D convolution, 3 x 3 x 3: Caffe2's rule.

    The two halves together have as many weights as the full 3-D convolution, rounded down.
    """
    return 3 * inputs * outputs * 3 * 3 // (inputs * 3 * 3 + 3 * outputs)


def _stem(kind: Kind, width: int, middle: int) -> nn.Sequential:
    stride = (1, 2, 2)
    if kind == "2+1d":
        first: nn.Module = Factored(3, width, middle, side=7, stride=stride)
    else:
        frames = {"inflated": 5, "bottleneck": 7, "interlaced": 1}.get(kind, 3)
        first = _conv(3, width, (frames, 7, 7), stride)
    parts: OrderedDict[str, nn.Module] = OrderedDict(conv=first, norm=nn.BatchNorm3d(width), relu=nn.ReLU(inplace=True))
    if kind in ("inflated", "interlaced"):
        parts["pool"] = nn.MaxPool3d((1, 3, 3), stride=stride, padding=(0, 1, 1))
    if kind == "bottleneck":
        parts["pool"] = nn.MaxPool3d(3, stride=2, padding=1)
    return nn.Sequential(parts)


def _layer(kind: Kind, number: int, inputs: int, width: int, blocks: int) -> nn.Sequential:
    """The residual blocks of one resolution; the first of layers 2 to 4 halves it."""
    made = nn.Sequential()
    for index in range(blocks):
        halves = number > 1 and index == 0
        if kind == "inflated":
            frames = 3 if index in INFLATED_BLOCKS[number] else 1
            made.append(_bottleneck(inputs, width, (frames, 1), (1, 2, 2) if halves else (1, 1, 1)))
            inputs = width * BOTTLENECK
        elif kind == "interlaced":
            before = TemporalInterlace(inputs)
            made.append(_bottleneck(inputs, width, (1, 1), (1, 2, 2) if halves else (1, 1, 1), before))
            inputs = width * BOTTLENECK
        elif kind == "bottleneck":
            made.append(_bottleneck(inputs, width, (1, 3), (2, 2, 2) if halves else (1, 1, 1)))
            inputs = width * BOTTLENECK
        else:
            made.append(_basic(kind, inputs, width, (2, 2, 2) if halves else (1, 1, 1)))
            inputs = width
    return made


def _basic(kind: Kind, inputs: int, width: int, stride: Triple) -> Residual:
    """Two 3 x 3 x 3 convolutions, each in one piece or factored."""

    def conv(inputs: int, stride: Triple) -> nn.Module:
        if kind == "2+1d":
            return Factored(inputs, width, middle_width(inputs, width), side=3, stride=stride)
        return _conv(inputs, width, (3, 3, 3), stride)

    body = OrderedDict(
        conv1=conv(inputs, stride), norm1=nn.BatchNorm3d(width), relu1=nn.ReLU(inplace=True),
        conv2=conv(width, (1, 1, 1)), norm2=nn.BatchNorm3d(width),
    )  # fmt: skip
    return Residual(nn.Sequential(body), _shortcut(inputs, width, stride))


def _bottleneck(
    inputs: int, width: int, frames: tuple[int, int], stride: Triple, before: nn.Module | None = None
) -> Residual:
    """Two convolutions of some frames each, 1 x 1 and 3 x 3 in space, and 1 x 1 x 1 out to four times the width.

    `before` comes before the first of them, on the way that the shortcut leaves out.
    """
    outputs = width * BOTTLENECK
    body: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=_conv(inputs, width, (frames[0], 1, 1)), norm1=nn.BatchNorm3d(width), relu1=nn.ReLU(inplace=True),
        conv2=_conv(width, width, (frames[1], 3, 3), stride), norm2=nn.BatchNorm3d(width), relu2=nn.ReLU(inplace=True),
        conv3=_conv(width, outputs, (1, 1, 1)), norm3=nn.BatchNorm3d(outputs),
    )  # fmt: skip
    if before is not None:
        body = OrderedDict(interlace=before, **body)
    return Residual(nn.Sequential(body), _shortcut(inputs, outputs, stride))


def _shortcut(inputs: int, outputs: int, stride: Triple) -> nn.Module:
    if inputs == outputs and stride == (1, 1, 1):
        return nn.Identity()
    parts = OrderedDict(conv=_conv(inputs, outputs, (1, 1, 1), stride), norm=nn.BatchNorm3d(outputs))
    return nn.Sequential(parts)


def _conv(inputs: int, outputs: int, kernel: Triple, stride: Triple = (1, 1, 1)) -> nn.Conv3d:
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    return nn.Conv3d(inputs, outputs, kernel, stride, padding, bias=False)
