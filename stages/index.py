"""Parse the annotations and hash every video file: the tables that all later stages start from."""

from pathlib import Path

from pipeline.dataset.annotations import Annotations
from pipeline.dataset.dataset import read_annotations
from pipeline.dataset.imported import build_feature_index
from pipeline.dataset.index import Index, build_index, summary
from pipeline.dataset.splits import training_of
from pipeline.foundations.params import Params
from pipeline.foundations.params.foresight import downloads, foresee
from pipeline.foundations.runtime.network import ask_aside
from pipeline.foundations.runtime.progress import say
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.features import features_of
from stages import stage

FOLDER = Path("data/index")


@stage
def main(params: Params) -> str:
    """Write the `videos`, `actions` and `missing` tables."""
    annotations = read_annotations(params.dataset)
    for foreseen in foresee(training_of(annotations), params):
        say(f"index: warning: {foreseen.sentence}: {foreseen.advice}")
    if not Path("models/pretrained/weights.json").exists():  # not fetched yet
        ask_aside(downloads(params), _cannot_be_reached)
    index = _index(annotations, params)
    tables.write("videos", FOLDER / "videos.parquet", index.videos)
    tables.write("actions", FOLDER / "actions.parquet", index.actions)
    tables.write("exclusions", FOLDER / "missing.parquet", index.missing)
    return summary(annotations, index)


def _index(annotations: Annotations, params: Params) -> Index:
    dataset, most = params.dataset, params.index.max_missing_rate
    if dataset.source == "features":
        return build_feature_index(annotations, features_of(dataset), max_missing_rate=most)
    return build_index(
        annotations,
        Path(dataset.folder, dataset.videos),
        stores=[Path(dataset.folder, store) for store in dataset.stores],
        max_missing_rate=most,
        workers=params.execution.workers,
    )


def _cannot_be_reached(key: str, host: str) -> None:
    say(
        f"index: warning: {host} cannot be reached from here, and {key} names weights there: unless .cache/downloads "
        f"has them, stage fetch_weights will stop; connect, set HTTPS_PROXY, or bring the file and name it in {key}"
    )


if __name__ == "__main__":
    main()
