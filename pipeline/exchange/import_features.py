"""Import published features into a folder: choose videos, labels and audio forms."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from pipeline.dataset.annotations import read_text
from pipeline.exchange.feature_arrays import Record, read_arrays
from pipeline.exchange.feature_folder import Item, Origin, write_folder
from pipeline.exchange.tfrecord import read_tfrecord
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables.features import dequantized
from pipeline.foundations.tables.manifest import Manifest, Quantization
from pipeline.foundations.tables.seeds import seed_of

STATISTICS = "mean, deviation and maximum of the sound's embeddings over the seconds"
"""Description of X where it is made of sound."""
NAMES, NUMBERS = ("display_name", "Name", "name"), ("index", "Index")
ENTITIES = ("mid", "KnowledgeGraphId", "knowledge_graph_id")
"""Columns of label files, as AudioSet and YouTube-8M call them."""
_LOTS = 2**63


class Choice(NamedTuple):
    """What is imported."""

    vector: Literal["visual", "sound"]
    """What replaces the 3D-CNN's features: the visual vector, or statistics of the sound over the seconds."""
    patches: int
    """Seconds of sound, from the first, that are an audio form; a video with fewer has none."""
    most: int | None
    """The most frequent labels of the training videos are kept, so many; None: all."""
    validate_one_in: int | None
    """Training videos that become validation videos, chosen by a key of each id; None: none."""
    seed: int


def import_features(
    target: Path, sources: Mapping[str, Sequence[Path]], labels: Path, choice: Choice, origin: Origin
) -> Manifest:
    """Write the folder `target` from files by split; videos with none of the kept labels are left out.

    Raises:
        PlainError: a file cannot be read, or is not of a kind that is known.
    """
    vocabulary = read_vocabulary(labels)
    kept = _most_frequent(vocabulary, sources, choice)
    actions = [name for number, name in sorted(vocabulary.items()) if number in kept]
    items = (
        item
        for split, paths in sources.items()
        for path in paths
        for record in records(path)
        if (item := _item(record, split, vocabulary, kept, choice, origin))
    )
    return write_folder(target, items, actions, origin)


def records(path: Path) -> Iterator[Record]:
    """The videos of a file, by its suffix: .npz, .safetensors, and TFRecords otherwise."""
    return read_arrays(path) if path.suffix in (".npz", ".safetensors") else read_tfrecord(path)


def read_vocabulary(path: Path) -> dict[int, str]:
    """Label names by number: a CSV or TSV with a column of names, and of numbers; or a name a line.

    Raises:
        PlainError: it cannot be read, or a name or a number stands twice.
    """
    text = read_text(path)
    first = text.partition("\n")[0].strip("\r")
    between = "\t" if "\t" in first else ","
    columns = first.split(between)
    name = next((column for column in NAMES if column in columns), None)
    if name is None:
        names = [line.strip() for line in text.splitlines() if line.strip()]
        pairs = list(enumerate(names))
    else:
        number = next((column for column in NUMBERS if column in columns), None)
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=between))
        try:
            numbers = [int(row[number]) if number else place for place, row in enumerate(rows)]
        except (TypeError, ValueError) as error:
            raise PlainError(f"{path}: a row has no whole number as {number}: {error}") from error
        entity = next((column for column in ENTITIES if column in columns), None)
        pairs = [
            (place, row[name] or f"unnamed {row[entity] if entity else place}")
            for place, row in zip(numbers, rows, strict=True)
        ]
    found = _unique_names(pairs)
    if not found or len(found) < len(pairs):
        raise PlainError(f"{path}: found {len(pairs):,} labels, some of one number; expected each once")
    return found


def _unique_names(pairs: Sequence[tuple[int, str]]) -> dict[int, str]:
    """Names by number; a repeated name gets its number in brackets, since actions are identified by name."""
    taken: set[str] = set()
    found = {}
    for number, name in pairs:
        found[number] = f"{name} ({number})" if name in taken else name
        taken.add(found[number])
    return found


def _most_frequent(
    vocabulary: Mapping[int, str], sources: Mapping[str, Sequence[Path]], choice: Choice
) -> frozenset[int]:
    if choice.most is None:
        return frozenset(vocabulary)
    counts = Counter(label for path in sources["train"] for record in records(path) for label in set(record.labels))
    order = sorted(vocabulary, key=lambda label: (-counts[label], label))
    return frozenset(order[: choice.most])


def _item(
    record: Record, split: str, vocabulary: Mapping[int, str], kept: frozenset[int], choice: Choice, origin: Origin
) -> Item | None:
    if unknown := next((label for label in record.labels if label not in vocabulary), None):
        raise PlainError(f"video {record.video_id}: found the label {unknown}, which the label list lacks")
    names = tuple(vocabulary[label] for label in sorted(set(record.labels) & kept))
    if not names:
        return None
    if split == "train" and choice.validate_one_in and _is_validation(record.video_id, choice):
        split = "val"
    return Item(record.video_id, split, names, _vectors(record, choice, origin), _form(record, choice))


def _is_validation(video_id: str, choice: Choice) -> bool:
    return seed_of(choice.seed, "validation", video_id) % _LOTS < _LOTS // (choice.validate_one_in or 1)


def _vectors(record: Record, choice: Choice, origin: Origin) -> np.ndarray:
    if choice.vector == "visual":
        if record.visual is None:
            raise PlainError(
                f"video {record.video_id}: has no visual vector; use --vector sound to take its sound instead"
            )
        return record.visual
    if record.sound is None or not len(record.sound):
        raise PlainError(f"video {record.video_id}: has no sound to compute its vector from")
    return statistics(record.sound, origin.sound_quantization)[None]


def statistics(sound_SD: np.ndarray, quantization: Quantization | None) -> np.ndarray:
    """Mean, standard deviation and maximum of embeddings over the seconds: 3 D, computed in float64.

    Kept as float16: its steps, 0.001 at most, are far below those of 8 bits over [-2, 2].
    """
    exact = dequantized(sound_SD, quantization if sound_SD.dtype == np.uint8 else None).astype(np.float64)
    return np.concatenate([exact.mean(axis=0), exact.std(axis=0), exact.max(axis=0)]).astype(np.float16)


def _form(record: Record, choice: Choice) -> np.ndarray | None:
    if record.sound is None or len(record.sound) < choice.patches:
        return None
    return np.ascontiguousarray(record.sound[: choice.patches]).reshape(-1)


def counted(items: Iterable[str]) -> str:
    """Counts of items, the most frequent first."""
    return ", ".join(f"{count:,} {word}" for word, count in Counter(items).most_common())
