"""Draw Mini M-MiT from the training videos that have an audio stream."""

from pathlib import Path

from pipeline.dataset.splits import make_splits, summary
from pipeline.foundations.params import Params
from pipeline.foundations.tables import tables
from stages import stage

FOLDER = Path("data/splits")


@stage
def main(params: Params) -> str:
    """Write the training, validation and test splits."""
    videos = tables.read("videos", Path("data/index/videos.parquet"))
    actions = tables.read("actions", Path("data/index/actions.parquet"))
    verdicts = tables.read("verdicts", Path("data/audible/verdicts.parquet"))
    splits = make_splits(videos, actions, verdicts, params.split_mini, seed=params.seed)
    for name, table in splits._asdict().items():
        tables.write("splits", FOLDER / f"{name}.parquet", table)
    return summary(splits, videos, actions, params.split_mini)


if __name__ == "__main__":
    main()
