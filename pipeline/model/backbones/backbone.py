"""The interface of a 3D-CNN: a feature map of C channels, layers for Grad-CAM, settings of its batch norms."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn


class BatchNorm(NamedTuple):
    """Settings of every batch norm of a backbone, which published weights depend on."""

    eps: float = 1e-5
    momentum: float = 0.1


class Backbone(nn.Module):
    """Clips, B x 3 x T x Y x X, to a feature map, B x C x T' x Y' x X'.

    A subclass sets `features`, and names the modules that `explain.layers` can ask for `layer1` to `layer4`.
    """

    features: int
    """C, the channels of the feature map."""

    def first_centres(self, layer: str, shape: Sequence[int]) -> tuple[float, float, float]:
        """The pixel that cell 0 of a layer looks at, along time, height and width of a clip of `shape`, T x Y x X.

        0 where every convolution pads by half its kernel, as PyTorch's networks do.
        """
        return 0.0, 0.0, 0.0

    @property
    def batch_norm(self) -> BatchNorm:
        """The settings that every batch norm of this backbone has."""
        norm = next(module for module in self.modules() if isinstance(module, nn.BatchNorm3d))
        return BatchNorm(norm.eps, norm.momentum or 0.0)

    @batch_norm.setter
    def batch_norm(self, settings: BatchNorm) -> None:
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.eps, module.momentum = settings
