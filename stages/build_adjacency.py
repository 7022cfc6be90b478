"""Count co-occurring actions in training, and threshold them to the edges of the multi-action graph."""

from pathlib import Path

import pyarrow.compute as pc

from pipeline.foundations.params import Params
from pipeline.foundations.tables import tables
from pipeline.graph.cooccurrence import adjacency_table, summary
from stages import stage


@stage
def main(params: Params) -> str:
    """Write the `adjacency` table."""
    n = tables.read("actions", Path("data/index/actions.parquet")).num_rows
    if params.adjacency.scope == "full":
        videos = tables.read("videos", Path("data/index/videos.parquet"))
        labels = videos.filter(pc.equal(videos["split"], "train"))["actions"]
    else:
        labels = tables.read("splits", Path("data/splits/train.parquet"))["actions"]
    table = adjacency_table(labels, n, params.adjacency)
    tables.write("adjacency", Path("data/graph/adjacency.parquet"), table)
    return summary(table, n)


if __name__ == "__main__":
    main()
