"""Fix a 3D-CNN and compute, once, what it makes of every video: for heads that are trained on that alone."""

from pathlib import Path

from pipeline.evaluate import frozen as looks
from pipeline.evaluate import testing
from pipeline.foundations.params import Params
from pipeline.foundations.tables import tables
from pipeline.train.frozen import BACKBONE, freeze
from stages import stage
from stages.train import source_of

FEATURES, VIEWED = Path("data/frozen/features"), Path("data/frozen/viewed.parquet")


@stage
def main(params: Params) -> str:
    """Write the features of training, validation and test videos."""
    videos = freeze(FEATURES, source_of(params, params.seed))
    split = tables.read("splits", Path(f"data/splits/{params.evaluate.split}.parquet"))
    index = tables.read("videos", Path("data/index/videos.parquet"))
    tested = looks.look(
        VIEWED,
        testing.videos_of(split, index, Path(params.dataset.folder, params.dataset.videos)),
        FEATURES / BACKBONE,
        evaluate=params.evaluate,
        media=params.media,
        execution=params.execution,
    )
    return f"{videos:,} videos in {params.frozen.views} views, {tested:,} of {params.evaluate.split} in all views"


if __name__ == "__main__":
    main()
