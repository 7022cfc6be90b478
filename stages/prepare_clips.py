"""Store training and validation videos as small frames that decode quickly, in few files."""

from pathlib import Path

from pipeline.clips.imported import SPLITS, copy_features
from pipeline.clips.prepare import prepare, sources_of
from pipeline.foundations.params import Params
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.features import features_of
from stages import stage


@stage
def main(params: Params) -> str:
    """Write the packs of frames and their tables."""
    videos = tables.read("videos", Path("data/index/videos.parquet"))
    splits = [tables.read("splits", Path(f"data/splits/{split}.parquet")) for split in SPLITS]
    if params.dataset.source == "features":
        copied = copy_features(Path("data/clips"), features_of(params.dataset), dict(zip(SPLITS, splits, strict=True)))
        return f"the imported vectors of {copied.videos:,} videos, {copied.bytes / 1e6:,.1f} MB; nothing was decoded"
    made = prepare(
        Path("data/clips"),
        sources_of(videos, splits, Path(params.dataset.folder, params.dataset.videos)),
        clips=params.clips,
        frames=params.frames,
        media=params.media,
        execution=params.execution,
    )
    return (
        f"{made.videos:,} videos as {made.frames:,} frames, {made.bytes / 1e6:,.1f} MB in {made.packs:,} packs; "
        f"{made.excluded:,} videos excluded, in data/clips/excluded.parquet"
    )


if __name__ == "__main__":
    main()
