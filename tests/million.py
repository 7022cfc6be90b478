"""The tables of a million videos: index without hashing, graph, the mini draw in both readings, audio lexicon.

    python -m tests.million FOLDER

FOLDER holds the annotation files of `pipeline.bench.annotations`, and takes about 5 GB. Prints, as JSON, CPU and wall
seconds of each step, the process's largest memory, and what each draw gives every action.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset import mmit, splits
from pipeline.dataset.index import actions_table, videos_table
from pipeline.foundations.params import Params, load_params
from pipeline.foundations.tables import tables
from pipeline.graph import cooccurrence
from pipeline.lexicon import audio

READINGS = ("label", "folder")
seconds: dict[str, tuple[float, float]] = {}


@contextmanager
def measured(step: str) -> Iterator[None]:
    """Note the wall and CPU seconds of the body."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    seconds[step] = time.perf_counter() - wall, time.process_time() - cpu


def index(folder: Path) -> tuple[pa.Table, pa.Table]:
    """The tables of stage `index`, without looking at files."""
    with measured("index"):
        found = mmit.read(folder)
        videos = videos_table(found.videos, [0] * len(found.videos), [""] * len(found.videos))
        actions = actions_table(found.actions)
        tables.write("videos", folder / "videos.parquet", videos)
        tables.write("actions", folder / "actions.parquet", actions)
    return tables.read("videos", folder / "videos.parquet"), actions


def draw(folder: Path, videos: pa.Table, actions: pa.Table, params: Params, reading: str) -> dict[str, object]:
    """Mini M-MiT in one reading, as if every video had sound; its total, and how many videos each action has."""
    settings = params.split_mini.model_copy(update={"draw": reading})
    with measured(f"mini draw by {reading}"):
        made = splits.make_splits(videos, actions, tables.empty("verdicts"), settings, seed=params.seed)
        tables.write("splits", folder / "train.parquet", made.train)
    counts = splits.videos_per_action(made.train, actions.num_rows).tolist()
    return {"total": made.train.num_rows, "videos": dict(zip(actions["action"].to_pylist(), counts, strict=True))}


def write_forms(folder: Path, videos: pa.Table) -> None:
    """A form for each video."""
    rng = np.random.default_rng(0)
    groups = (
        tables.from_columns(
            "whitened", {"video_id": ids, "form": rng.standard_normal((len(ids), tables.FORM_SIZE), np.float32)}
        )
        for ids in (batch["video_id"] for batch in videos.to_batches(max_chunksize=tables.ROW_GROUP))
    )
    tables.write_stream("whitened", folder / "whitened.parquet", groups)


def main(folder: Path) -> dict[str, object]:
    """All steps, one after the other, in one process."""
    params = load_params()
    videos, actions = index(folder)
    with measured("adjacency"):
        labels = videos.filter(pc.equal(videos["split"], "train"))["actions"]
        table = cooccurrence.adjacency_table(labels, actions.num_rows, params.adjacency)
        tables.write("adjacency", folder / "adjacency.parquet", table)
    drawn = {reading: draw(folder, videos, actions, params, reading) for reading in READINGS}
    write_forms(folder, videos)
    count = actions.num_rows
    del videos, labels, table, actions
    pairs = {}
    for scope in ("mini", "full"):
        with measured(f"lexicon, {scope} scope"):
            members = audio.training_videos(scope, videos=folder / "videos.parquet", train=folder / "train.parquet")
            forms = folder / "whitened.parquet"
            pairs[scope] = audio.build(members, forms, folder / "audio.parquet", actions=count).pairs
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "peak_bytes": peak, "drawn": drawn, "pairs": pairs}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1])), indent=1) + "\n")
