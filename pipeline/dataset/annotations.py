"""Annotations of a data set: its actions, and its videos with their labels.

Annotation files are untrusted and checked line by line (DESIGN.md, invariant 7). Faults are collected, so that one run
names many of them, each with file, line, what was found and what was expected.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from pipeline.foundations.runtime.errors import PlainError

Split = Literal["train", "val", "test"]
FAULTS_SHOWN = 20
SENTENCE = 400  # characters of one fault that are shown
MOST_ACTIONS = int(np.iinfo(np.int16).max) + 1  # action ids are int16 in every table
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BETWEEN_WORDS = re.compile(r"[+/_\s]+")
_JOINS = {"‐": "-", "‑": "-", "’": "'"}  # typographic hyphens and the apostrophe, as word vectors spell them
_POSSESSIVE = "'s"


class Video(NamedTuple):
    """One annotated video."""

    video_id: str
    """Its path without the suffix: the video's name in every table."""
    path: str
    """Below `dataset.videos`, with forward slashes."""
    split: Split
    actions: tuple[int, ...]
    """Its action ids: at least one, ascending, none twice."""


class Annotations(NamedTuple):
    """The annotations of a data set."""

    actions: tuple[str, ...]
    """The vocabulary, in the order of action ids."""
    videos: tuple[Video, ...]
    """In the order of the files."""
    merged_labels: int = 0
    """Number of labels that their line repeats."""
    unlabelled: tuple[str, ...] = ()
    """Ids of videos without any action, which can be neither trained on nor scored."""


@dataclass(kw_only=True)
class Faults:
    """Collects faults of annotation files, to raise them together."""

    shown: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, file: Path, line: int, sentence: str) -> None:
        """Note that `line` of `file` is wrong; `sentence` says what was found and what was expected."""
        self.count += 1
        if len(sentence) > SENTENCE:  # a line may be of any length
            sentence = f"{sentence[: SENTENCE // 2]} [...] {sentence[-SENTENCE // 2 :]}"
        if self.count <= FAULTS_SHOWN:
            self.shown.append(f"{file}: line {line:,}: {sentence}")

    def check(self) -> None:
        """Stop here if anything was wrong.

        Raises:
            PlainError: the first FAULTS_SHOWN faults, one a line, and how many more there are.
        """
        if self.count > len(self.shown):
            self.shown.append(f"and {self.count - len(self.shown):,} more")
        if self.shown:
            raise PlainError("\n".join(self.shown))


def read_text(file: Path) -> str:
    """The text of an annotation file, UTF-8 with or without a byte-order mark.

    Raises:
        PlainError: the file cannot be read, or is not UTF-8.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise PlainError(
            f"{file}: cannot be read: {error.strerror}; dataset.annotations names the folder of the annotation files"
        ) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PlainError(
            f"{file}: line {line:,}: found the byte 0x{content[error.start]:02x}, expected UTF-8 text"
        ) from error


def lines(file: Path, faults: Faults) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not blank, whatever its line ending, stripped of outer spaces."""
    for number, raw in enumerate(read_text(file).split("\n"), start=1):
        line = raw.strip(" \t\r")
        if not line:
            continue
        if not line.isprintable() and (found := _CONTROL.search(line)):
            faults.add(file, number, f"found the control character {found[0]!r}, expected plain text")
            continue
        yield number, line


def path_fault(path: str) -> str | None:
    """The fault of a video's path, or None: it must lead below the videos' folder and be normalized."""
    parts = path.split("/")
    if not path:
        return "found no path, expected folder/file.mp4"
    if path.startswith("/") or ".." in parts:
        return f"found the path {path!r}, which leaves the videos' folder; expected one below it"
    if "" in parts or "." in parts or _CONTROL.search(path):
        return f"found the path {path!r}, expected names between single slashes"
    return None


def video_id_of(path: str) -> str:
    """A path without its suffix; upper-case and lower-case suffixes alike."""
    stem, dot, suffix = path.rpartition(".")
    return stem if dot and "/" not in suffix and stem and not stem.endswith("/") else path


class Ids:
    """Assigns video ids, and remembers the first line of each."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, Path, int]] = {}

    def take(self, path: str, file: Path, line: int) -> tuple[str, str]:
        """The id of a video, and what is wrong: it stands twice.

        Where another video's path differs in its suffix alone, a later one keeps it: `a.mp4` is a, `a.webm` beside it
        a.webm.
        """
        here = path, file, line
        for video_id in (video_id_of(path), path):
            first = self._first.setdefault(video_id, here)
            if first is here:
                return video_id, ""
            if first[0] == path:
                break
        _, first_file, first_line = first
        if file == first_file:
            return video_id, f"found the video {path!r} again, first on line {first_line:,}; expected each once"
        where = f"{first_file.name} has on line {first_line:,}"
        return video_id, f"found the video {path!r}, which {where}; expected each in one split"


def whole_number(text: str) -> int | None:
    """The value of plain digits; None for anything else, and for more digits than any index has."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else None


def words_of(action: str) -> list[str]:
    """The words of an action's name, in lower case: `hitting/colliding` and `playing+music` have two each.

    Punctuation and a possessive `'s` are dropped; hyphens within words stay. A name without letters and digits is split
    into its characters.
    """
    joined = "".join(_JOINS.get(sign, sign) for sign in action.lower())
    spaced = "".join(sign if _is_of_a_word(sign) else " " for sign in joined)
    words = [word.strip("-'").removesuffix(_POSSESSIVE).replace("'", "") for word in spaced.split()]
    return [word for word in words if word] or [word for word in _BETWEEN_WORDS.split(action.lower()) if word]


def _is_of_a_word(sign: str) -> bool:
    return sign in "-'" or sign.isalnum() or unicodedata.category(sign).startswith("M")  # an accent of its own


def vocabulary(file: Path, rows: list[tuple[int, str, int]], faults: Faults) -> tuple[str, ...]:
    """Put (line, action, index) rows in the order of their indices, which must run from 0 without a gap."""
    names: dict[int, str] = {}
    lines_of: dict[str, int] = {}
    for line, action, index in rows:
        if not words_of(action):
            faults.add(file, line, f"found {action!r}, expected an action's name")
        elif action in lines_of:
            faults.add(file, line, f"found the action {action!r} again, first on line {lines_of[action]:,}")
        elif index in names:
            faults.add(file, line, f"found the index {index} again, which is {names[index]!r}")
        elif index >= MOST_ACTIONS:
            faults.add(file, line, f"found the index {index}, expected one below {MOST_ACTIONS:,}")
        else:
            names[index], lines_of[action] = action, line
    missing = next((index for index in range(len(names)) if index not in names), None)
    if missing is not None:
        last = max(names)
        faults.add(file, lines_of[names[last]], f"found the index {last}, but no action has the index {missing}; "
                   "expected indices from 0 without a gap")  # fmt: skip
    if not rows and not faults.count:
        faults.add(file, 1, "found no action, expected one a line")
    faults.check()
    return tuple(names[index] for index in range(len(names)))
