"""One data set or another, by `dataset.source`."""

from pathlib import Path

from pipeline.params import Dataset
from pipeline.sources import charades, mmit
from pipeline.sources.annotations import Annotations


def read_annotations(dataset: Dataset) -> Annotations:
    """Read the annotation files of a data set; the bundled sample is written in M-MiT's layout.

    Raises:
        PlainError: a file is absent or malformed; each fault names file, line, found and expected.
    """
    folder = Path(dataset.folder, dataset.annotations)
    return charades.read(folder) if dataset.source == "charades" else mmit.read(folder)
