"""The data: verdicts on sound tracks, and how many videos each action has."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow.compute as pc

from pipeline.report import ledger
from pipeline.report.evidence import Evidence


class Part(NamedTuple):
    """The videos of one split with one verdict."""

    verdict: str
    words: str
    videos: int


class Verdicts(NamedTuple):
    """The verdicts of one split."""

    name: str
    parts: list[Part]
    total: int
    spoken: str


class Occurrences(NamedTuple):
    """In how many videos an action occurs."""

    action: str
    annotated: int
    """To train, before the draw."""
    drawn: int
    train: int
    val: int
    test: int
    forms: int
    """In the audio lexicon."""


def verdicts(evidence: Evidence) -> list[Verdicts]:
    """The verdicts on sound tracks, split by split."""
    rows = []
    for split, counts in ledger.verdicts_by_split(evidence).items():
        parts = [Part(verdict, words, counts[verdict]) for verdict, words in ledger.VERDICTS.items()]
        spoken = f"{split}: " + ", ".join(f"{part.videos} {part.words}" for part in parts)
        rows.append(Verdicts(split, parts, sum(counts.values()), spoken))
    return [row for row in rows if row.total]


def occurrences(evidence: Evidence) -> list[Occurrences]:
    """Each action's videos in each split, and its audio forms."""
    n = evidence.actions.num_rows
    annotated = evidence.videos.filter(pc.equal(evidence.videos["split"], "train"))
    columns = [
        ledger.occurrences(annotated["actions"], n),
        ledger.occurrences_of(evidence.train["drawn_for"].drop_null(), n),
        *(ledger.occurrences(table["actions"], n) for table in (evidence.train, evidence.val, evidence.test)),
        ledger.occurrences_of(evidence.audio["action_id"], n),
    ]
    return [
        Occurrences(name, *(int(count) for count in counts))
        for name, *counts in zip(evidence.names, *columns, strict=True)
    ]


def most(rows: Sequence[Occurrences]) -> Occurrences:
    """The largest number of each column."""
    _, *columns = zip(*rows, strict=True)
    return Occurrences("", *(max(column) for column in columns))
