"""Read the data set that `dataset.source` names."""

from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.dataset import charades, imported, mmit, own
from pipeline.dataset.annotations import Annotations
from pipeline.foundations.params import Dataset
from pipeline.foundations.params.choices import DatasetSource
from pipeline.foundations.runtime.errors import PlainError

READERS: Mapping[str, Callable[[Path], Annotations]] = {
    "sample": mmit.read,
    "mmit": mmit.read,
    "charades": charades.read,
    "csv": own.read,
    "features": imported.read,
}
"""The reader of each `dataset.source`; the bundled sample is in M-MiT's format."""

MARKS: Mapping[DatasetSource, str] = {"mmit": mmit.CATEGORIES, "charades": charades.CLASSES, "csv": own.VIDEOS}
"""The file by which each format is recognized."""


def source_of(folder: Path) -> DatasetSource:
    """The format of the annotation files in `folder`.

    Raises:
        PlainError: no known format, or several.
    """
    found = [source for source, name in MARKS.items() if (folder / name).is_file()]
    if len(found) != 1:
        known = ", ".join(f"{name} ({source})" for source, name in MARKS.items())
        held = " and ".join(MARKS[source] for source in found) or "none of them"
        raise PlainError(f"{folder}: found {held}; expected the annotation files of one data set, with one of {known}")
    return found[0]


def read_annotations(dataset: Dataset) -> Annotations:
    """Read the annotation files of a data set.

    Raises:
        PlainError: a file is absent or malformed; each fault names file, line, found and expected.
    """
    folder = Path(dataset.folder, dataset.annotations)
    return READERS[dataset.source](folder)
