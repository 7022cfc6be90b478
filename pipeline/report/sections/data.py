"""The data: verdicts on sound tracks, and how many videos each action has."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow.compute as pc

from pipeline.report import stage_counts
from pipeline.report.run_tables import RunTables


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
    """Numbers of videos with an action."""

    action: str
    annotated: int
    """In the training split, before sampling."""
    drawn: int
    train: int
    val: int
    test: int
    forms: int
    """In the audio lexicon."""


def verdicts(run_tables: RunTables) -> list[Verdicts]:
    """The verdicts on sound tracks, split by split."""
    rows = []
    for split, counts in stage_counts.verdicts_by_split(run_tables).items():
        parts = [Part(verdict, words, counts[verdict]) for verdict, words in stage_counts.VERDICTS.items()]
        spoken = f"{split}: " + ", ".join(f"{part.videos} {part.words}" for part in parts)
        rows.append(Verdicts(split, parts, sum(counts.values()), spoken))
    return [row for row in rows if row.total]


def occurrences(run_tables: RunTables) -> list[Occurrences]:
    """Each action's videos in each split, and its audio forms."""
    n = run_tables.actions.num_rows
    annotated = run_tables.videos.filter(pc.equal(run_tables.videos["split"], "train"))
    columns = [
        stage_counts.occurrences(annotated["actions"], n),
        stage_counts.occurrences_of(run_tables.train["drawn_for"].drop_null(), n),
        *(
            stage_counts.occurrences(table["actions"], n)
            for table in (run_tables.train, run_tables.val, run_tables.test)
        ),
        stage_counts.occurrences_of(run_tables.audio["action_id"], n),
    ]
    return [
        Occurrences(name, *(int(count) for count in counts))
        for name, *counts in zip(run_tables.names, *columns, strict=True)
    ]


def most(rows: Sequence[Occurrences]) -> Occurrences:
    """The largest number of each column."""
    _, *columns = zip(*rows, strict=True)
    return Occurrences("", *(max(column) for column in columns))
