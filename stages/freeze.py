"""Freeze a 3D-CNN and extract its features for every video, to train heads on them."""

from pathlib import Path

from pipeline.evaluate import testing
from pipeline.evaluate.frozen import extract_view_features
from pipeline.evaluate.imported import write_view_features
from pipeline.foundations.params import Params
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.features import features_of
from pipeline.model.design import Design
from pipeline.train.frozen import BACKBONE, freeze, freeze_imported
from pipeline.train.inputs import Inputs
from stages import stage
from stages.train import METRICS

FEATURES, VIEW_FEATURES = Path("data/frozen/features"), Path("data/frozen/view_features.parquet")


@stage
def main(params: Params) -> str:
    """Write the features of training, validation and test videos."""
    split = tables.read("splits", Path(f"data/splits/{params.evaluate.split}.parquet"))
    if params.dataset.source == "features":
        videos = freeze_imported(FEATURES, Inputs())
        tested = write_view_features(VIEW_FEATURES, split, features_of(params.dataset), params.evaluate.split)
        return f"{videos:,} training and {tested:,} {params.evaluate.split} videos, as they were imported"
    videos = freeze(
        FEATURES,
        Inputs(),
        design=Design.of(params),
        train=params.train,
        frozen=params.frozen,
        metrics=METRICS,
        seed=params.seed,
        execution=params.execution,
    )
    index = tables.read("videos", Path("data/index/videos.parquet"))
    tested = extract_view_features(
        VIEW_FEATURES,
        testing.videos_of(split, index, Path(params.dataset.folder, params.dataset.videos)),
        FEATURES / BACKBONE,
        evaluate=params.evaluate,
        media=params.media,
        execution=params.execution,
    )
    return f"{videos:,} videos in {params.frozen.views} views, {tested:,} of {params.evaluate.split} in all views"


if __name__ == "__main__":
    main()
