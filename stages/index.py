"""Parse the annotations and hash every video file: the tables that all later stages start from."""

from pathlib import Path

from pipeline.dataset.dataset import read_annotations
from pipeline.dataset.index import build_index, summary
from pipeline.dataset.splits import training_of
from pipeline.foundations.params import Params
from pipeline.foundations.params.foresight import foresee
from pipeline.foundations.runtime.progress import say
from pipeline.foundations.tables import tables
from stages import stage

FOLDER = Path("data/index")


@stage
def main(params: Params) -> str:
    """Write the `videos`, `actions` and `missing` tables."""
    annotations = read_annotations(params.dataset)
    for foreseen in foresee(training_of(annotations), params):
        say(f"index: warning: {foreseen.sentence}: {foreseen.advice}")
    index = build_index(
        annotations,
        Path(params.dataset.folder, params.dataset.videos),
        stores=[Path(params.dataset.folder, store) for store in params.dataset.stores],
        max_missing_rate=params.index.max_missing_rate,
        workers=params.execution.workers,
    )
    tables.write("videos", FOLDER / "videos.parquet", index.videos)
    tables.write("actions", FOLDER / "actions.parquet", index.actions)
    tables.write("exclusions", FOLDER / "missing.parquet", index.missing)
    return summary(annotations, index)


if __name__ == "__main__":
    main()
