"""One data set or another, by `dataset.source`."""

from pathlib import Path

from pipeline.dataset import charades, mmit
from pipeline.dataset.annotations import Annotations
from pipeline.foundations.params import Dataset


def read_annotations(dataset: Dataset) -> Annotations:
    """Read the annotation files of a data set; the bundled sample is written in M-MiT's layout.

    Raises:
        PlainError: a file is absent or malformed; each fault names file, line, found and expected.
    """
    folder = Path(dataset.folder, dataset.annotations)
    return charades.read(folder) if dataset.source == "charades" else mmit.read(folder)
