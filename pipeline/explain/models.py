"""The models that are explained: this run's, and a baseline's beside it."""

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipeline.foundations.tables import tables
from pipeline.model.checkpoint import Description, load_model
from pipeline.model.model import MultiActionModel

MODEL, BASELINE = "model", "baseline"
FOLDER = Path("models/m3a")
PREDICTIONS = Path("data/predictions/predictions.parquet")


class Explained(NamedTuple):
    """A trained and tested model."""

    name: str
    """`model` or `baseline`."""
    root: Path
    """Of its run."""
    predictions: pa.Table

    @property
    def folder(self) -> Path:
        """Where the model is."""
        return self.root / FOLDER


def explained(root: Path, baseline: str | None) -> list[Explained]:
    """This run's model, and the baseline's where there is one.

    Args:
        root: of this run.
        baseline: root of the other.

    Raises:
        PlainError: a table of predictions is absent, or not one.
    """
    roots = {MODEL: root} | ({BASELINE: Path(baseline)} if baseline else {})
    return [Explained(name, root, tables.read("predictions", root / PREDICTIONS)) for name, root in roots.items()]


def load(folder: Path) -> tuple[MultiActionModel, Description]:
    """A trained model in evaluation mode whose parameters need no gradients, so Grad-CAM keeps none before its layer.

    Raises:
        PlainError: there is no model.
    """
    network, description = load_model(folder)
    return network.requires_grad_(requires_grad=False), description
