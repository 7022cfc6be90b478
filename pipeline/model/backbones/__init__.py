"""3D-CNNs by name, and how their last map is pooled."""

from collections.abc import Callable, Mapping
from functools import partial

from pipeline.model.backbones import imported
from pipeline.model.backbones.backbone import Backbone, BatchNorm
from pipeline.model.backbones.imported import ImportedFeatures
from pipeline.model.backbones.inception import InceptionI3d
from pipeline.model.backbones.resnet3d import ARCHITECTURES, ResNet3d

__all__ = ["BACKBONES", "Backbone", "BatchNorm", "ImportedFeatures", "make_backbone"]

BACKBONES: Mapping[str, Callable[[], Backbone]] = {
    **{name: partial(ResNet3d, architecture) for name, architecture in ARCHITECTURES.items()},
    "inception_i3d": InceptionI3d,
    imported.NAME: ImportedFeatures,
}
"""What each `backbone.name` builds, its weights drawn from torch's random state."""


def make_backbone(name: str, features: int | None = None) -> Backbone:
    """The backbone of a name; of imported features, with `features` of them."""
    return ImportedFeatures(features or 0) if name == imported.NAME else BACKBONES[name]()
