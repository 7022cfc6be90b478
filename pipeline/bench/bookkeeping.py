"""Benchmark of indexing a million videos, from annotation files to the mini draw, against a quarter of them."""

import pyarrow.compute as pc

from pipeline.bench.annotations import write_rows
from pipeline.bench.corpus import Corpus, on_cores
from pipeline.bench.measure import by_time, cores, rates
from pipeline.dataset import mmit, splits
from pipeline.dataset.index import actions_table, videos_table
from pipeline.foundations.tables import tables
from pipeline.graph import cooccurrence
from pipeline.report.bench_rows import Row, row

MANY, FEW = 1_000_000, 250_000
"""Training videos."""


def bookkeeping(corpus: Corpus, *, many: int = MANY, few: int = FEW) -> list[Row]:
    """Parse, index, count what occurs together, draw; without looking at files, whose cost is the disk's."""
    for videos in (many, few):
        write_rows(corpus.folder / str(videos), videos=videos)
    with cores(1):
        works = {"ours": lambda: book(corpus, many), "peer": lambda: book(corpus, few)}
        found = rates(works, repeats=2)
    return [
        row(
            "bookkeeping",
            by_time(found),
            device=on_cores(1),
            what=f"annotations to index, graph and mini draw, {many:,} training videos",
            peer=f"the same of {few:,}",
            unit="s",
            bound="at most",
            target=4.4,
            note="files are not looked at",
        )
    ]


def book(corpus: Corpus, videos: int) -> int:
    """The stages index, build_adjacency and split_mini of so many annotated videos, as if all were audible."""
    folder, params = corpus.folder / str(videos), corpus.params
    found = mmit.read(folder)
    actions = actions_table(found.actions)
    nothing = [0] * len(found.videos), [""] * len(found.videos)
    tables.write("videos", folder / "videos.parquet", videos_table(found.videos, *nothing))
    table = tables.read("videos", folder / "videos.parquet")
    labels = table.filter(pc.equal(table["split"], "train"))["actions"]
    counted = cooccurrence.adjacency_table(labels, actions.num_rows, params.adjacency)
    tables.write("adjacency", folder / "adjacency.parquet", counted)
    drawn = splits.make_splits(table, actions, tables.empty("verdicts"), params.split_mini, seed=params.seed)
    for name, split in drawn._asdict().items():
        tables.write("splits", folder / f"{name}.parquet", split)
    return 1
