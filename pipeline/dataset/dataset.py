"""One data set or another, by `dataset.source`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.dataset import charades, mmit, own
from pipeline.dataset.annotations import Annotations
from pipeline.foundations.params import Dataset

READERS: Mapping[str, Callable[[Path], Annotations]] = {
    "sample": mmit.read,
    "mmit": mmit.read,
    "charades": charades.read,
    "csv": own.read,
}
"""What reads the annotation folder of each `dataset.source`; the bundled sample is written in M-MiT's layout."""


def read_annotations(dataset: Dataset) -> Annotations:
    """Read the annotation files of a data set.

    Raises:
        PlainError: a file is absent or malformed; each fault names file, line, found and expected.
    """
    folder = Path(dataset.folder, dataset.annotations)
    return READERS[dataset.source](folder)
