"""Measures the bookkeeping of a million videos: annotations to index, graph, both mini draws, audio lexicon.

    python -m tests.bench.million FOLDER [VIDEOS]

FOLDER takes about 4 GB at a million; nothing there is read again. Wall and CPU seconds of each step, and the
largest memory of the whole process so far.
"""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import graph, splits, tables
from pipeline.index import actions_table, videos_table
from pipeline.lexicon import audio
from pipeline.params import Params, load_params
from pipeline.progress import console
from pipeline.sources import mmit
from tests.bench.rows import write_rows

totals = {"wall": 0.0, "cpu": 0.0}


@contextmanager
def measured(step: str, *, counts: bool = True) -> Iterator[None]:
    """Print what the body took; steps that only prepare do not count."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    console.print(f"{step:40} {wall:7.1f} s {cpu:7.1f} s CPU {peak:6.2f} GB" + ("" if counts else "   (not counted)"))
    if counts:
        totals["wall"] += wall
        totals["cpu"] += cpu


def index(folder: Path) -> tuple[pa.Table, pa.Table]:
    """The tables of stage `index`, without looking at files."""
    with measured("parse annotations"):
        found = mmit.read(folder)
    with measured("index tables, without hashing"):
        videos = videos_table(found.videos, [0] * len(found.videos), [""] * len(found.videos))
        actions = actions_table(found.actions)
        tables.write("videos", folder / "videos.parquet", videos)
    return tables.read("videos", folder / "videos.parquet"), actions


def draw(folder: Path, videos: pa.Table, actions: pa.Table, params: Params) -> None:
    """Mini M-MiT in both readings, with its counts."""
    for reading in ("label", "folder"):
        settings = params.split_mini.model_copy(update={"draw": reading})
        with measured(f"draw by {reading}"):
            made = splits.make_splits(videos, actions, tables.empty("verdicts"), settings, seed=params.seed)
            tables.write("splits", folder / "train.parquet", made.train)
        console.print(f"    {splits.summary(made, videos, actions, settings)}")
        counts = np.sort(splits.videos_per_action(made.train, actions.num_rows))
        console.print(f"    videos an action: {counts[[0, len(counts) // 4, len(counts) // 2, -1]]} (least, quarter, "
                      "half, most)")  # fmt: skip


def forms(folder: Path, videos: pa.Table) -> None:
    """A form for each video, as if all were audible."""
    rng = np.random.default_rng(0)
    groups = (
        tables.from_columns(
            "whitened", {"video_id": ids, "form": rng.standard_normal((len(ids), tables.FORM_SIZE), np.float32)}
        )
        for ids in (batch["video_id"] for batch in pa.Table.to_batches(videos, max_chunksize=tables.ROW_GROUP))
    )
    tables.write_stream("whitened", folder / "whitened.parquet", groups)


def main(folder: Path, count: int) -> None:
    """All steps, one after the other, in one process."""
    params = load_params()
    with measured("write annotation files", counts=False):
        write_rows(folder, videos=count)
    videos, actions = index(folder)
    with measured("adjacency"):
        labels = videos.filter(pc.equal(videos["split"], "train"))["actions"]
        table = graph.adjacency_table(labels, actions.num_rows, params.adjacency)
        tables.write("adjacency", folder / "adjacency.parquet", table)
    console.print(f"    {graph.summary(table, actions.num_rows)}")
    draw(folder, videos, actions, params)
    with measured("write forms", counts=False):
        forms(folder, videos)
    del videos
    with measured("audio lexicon of the mini split"):
        members = tables.read("splits", folder / "train.parquet").select(["video_id", "actions"])
        audio.build(members, folder / "whitened.parquet", folder / "audio.parquet", actions=actions.num_rows)
    console.print(f"{'together':40} {totals['wall']:7.1f} s {totals['cpu']:7.1f} s CPU")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000)
