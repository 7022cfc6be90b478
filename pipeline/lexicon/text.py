"""The text lexicon, one-to-one: each action's form is the mean vector of its name's words (Section 4.1)."""

from collections.abc import Container, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.foundations.params import Words
from pipeline.foundations.params.choices import WORD_KINDS
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.lexicon import words
from pipeline.lexicon.sentences import name_key


class Built(NamedTuple):
    """Table `text`, and the words that have no vector."""

    table: pa.Table
    missing: tuple[str, ...]
    """Different words, in the vocabulary's order."""


def build(actions: pa.Table, path: Path, source: Words) -> Built:
    """Look up every action's words; `playing+music` and `hitting/colliding` are averaged over theirs.

    A hyphenated word is looked up whole, then by its parts.

    Args:
        actions: table `actions`.
        path: the vectors that stage fetch_weights wrote.
        source: their size; and whether a vector is a word's or, for `sentences`, a whole name's.

    Raises:
        PlainError: the vectors cannot be read, or an action has no word with a vector; all such are named.
    """
    vectors = words.load(path, source.size)
    names, spelled = actions["action"].to_pylist(), actions["words"].to_pylist()
    if WORD_KINDS[source.source].whole_names:
        keys = [[name_key(name)] for name in names]
    else:
        keys = [[part for word in parts for part in _looked_up(word, vectors)] for parts in spelled]
    missing = [[key for key in parts if key not in vectors] for parts in keys]
    bare = [name for name, parts, lost in zip(names, keys, missing, strict=True) if len(lost) == len(parts)]
    if bare:
        raise PlainError(
            f"{path}: no vector for any word of {', '.join(bare)}; name vectors that know them in words.name"
        )
    forms = np.stack([mean_vector([vectors[key] for key in parts if key in vectors]) for parts in keys])
    table = tables.from_columns(
        "text",
        {"action_id": actions["action_id"], "action": names, "form": forms, "words": spelled, "missing": missing},
    )
    return Built(table, tuple(dict.fromkeys(word for lost in missing for word in lost)))


def _looked_up(word: str, vectors: Container[str]) -> list[str]:
    """What stands for a word: itself; or, of a hyphenated one without a vector, its parts where one of them has one."""
    parts = [part for part in word.split("-") if part]
    return parts if word not in vectors and any(part in vectors for part in parts) else [word]


def mean_vector(vectors: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of some vectors of size Q, float32, summed in float64."""
    mean: np.ndarray = np.stack(vectors).mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean
