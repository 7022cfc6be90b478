"""What a 3D-CNN is to the rest: a feature map of C channels, layers for Grad-CAM, settings of its batch norms."""

from typing import NamedTuple

from torch import nn


class BatchNorm(NamedTuple):
    """Settings of every batch norm of a backbone; part of what published weights mean."""

    eps: float = 1e-5
    momentum: float = 0.1


class Backbone(nn.Module):
    """Clips, B x 3 x T x Y x X, to a feature map, B x C x T' x Y' x X'.

    A subclass sets `features`, and names the modules that `explain.layers` can ask for `layer1` to `layer4`.
    """

    features: int
    """C, the channels of the feature map."""

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
