"""Imported features in the place of a 3D-CNN."""

from torch import Tensor

from pipeline.model.backbones.backbone import Backbone, BatchNorm

NAME = "imported"
"""Of the backbone, in `backbone.name`."""


class ImportedFeatures(Backbone):
    """Features X, B x C, as a feature map of one place: what is imported passes through, and nothing is learnt here."""

    def __init__(self, features: int = 0) -> None:
        """Of `features` channels C."""
        super().__init__()
        self.features = features

    def forward(self, features_BC: Tensor) -> Tensor:
        """B x C x 1 x 1 x 1."""
        return features_BC[:, :, None, None, None]

    @property
    def batch_norm(self) -> BatchNorm:
        """There are no batch norms; values for the description."""
        return BatchNorm()

    @batch_norm.setter
    def batch_norm(self, settings: BatchNorm) -> None:
        """There are no batch norms to set."""
