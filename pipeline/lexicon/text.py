"""The text lexicon, one-to-one: each action's form is the mean vector of its name's words (Section 4.1)."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.foundations.tables import tables
from pipeline.lexicon import words
from pipeline.lexicon.sentences import name_key


class Built(NamedTuple):
    """Table `text`, and what has no vector."""

    table: pa.Table
    missing: tuple[str, ...]
    """Different words, in the vocabulary's order."""
    bare: tuple[str, ...]
    """Actions none of whose words has one; their forms are zeros."""


def build(actions: pa.Table, path: Path, size: int) -> Built:
    """Look up every action's words; `playing+music` and `hitting/colliding` are averaged over theirs.

    A hyphenated word is looked up whole, then by its parts. Where the file has vectors of whole names
    (`pipeline.lexicon.sentences`), an action's is its name's.

    Args:
        actions: table `actions`.
        path: the vectors that stage fetch_weights wrote.
        size: Q, their dimensions.

    Raises:
        PlainError: the vectors cannot be read.
    """
    vectors = words.load(path, size)
    names, spelled = actions["action"].to_pylist(), actions["words"].to_pylist()
    keys = [_keys(name, parts, vectors) for name, parts in zip(names, spelled, strict=True)]
    missing = [[key for key in parts if key not in vectors] for parts in keys]
    bare = lacking(dict(zip(names, spelled, strict=True)), vectors)
    nothing = [np.zeros(size, np.float32)]
    forms = np.stack([mean_vector([vectors[key] for key in parts if key in vectors] or nothing) for parts in keys])
    table = tables.from_columns(
        "text",
        {"action_id": actions["action_id"], "action": names, "form": forms, "words": spelled, "missing": missing},
    )
    return Built(table, tuple(dict.fromkeys(word for lost in missing for word in lost)), tuple(bare))


def lacking(actions: Mapping[str, Sequence[str]], known: Container[str]) -> list[str]:
    """Actions none of whose words, nor their whole name, has a vector.

    Args:
        actions: the words of each, by its name.
        known: the keys of the file.
    """
    return [name for name, words in actions.items() if not any(key in known for key in _keys(name, words, known))]


def _keys(name: str, words: Sequence[str], vectors: Container[str]) -> list[str]:
    """The keys whose vectors are averaged: the whole name's if it has a vector, else its words'."""
    if name_key(name) in vectors:
        return [name_key(name)]
    return [part for word in words for part in _looked_up(word, vectors)]


def _looked_up(word: str, vectors: Container[str]) -> list[str]:
    """The keys of a word: itself; or the parts of a hyphenated word without a vector, if one of them has one."""
    parts = [part for part in word.split("-") if part]
    return parts if word not in vectors and any(part in vectors for part in parts) else [word]


def mean_vector(vectors: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of some vectors of size Q, float32, summed in float64."""
    mean: np.ndarray = np.stack(vectors).mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean
