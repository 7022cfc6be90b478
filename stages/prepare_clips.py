"""Copy training and validation videos to small frames, quick to decode, in few files."""

from pathlib import Path

from pipeline.clips.prepare import prepare, sources_of
from pipeline.foundations.params import Params
from pipeline.foundations.tables import tables
from stages import stage

SPLITS = ("train", "val")


@stage
def main(params: Params) -> str:
    """Write the packs of frames and their tables."""
    videos = tables.read("videos", Path("data/index/videos.parquet"))
    splits = [tables.read("splits", Path(f"data/splits/{split}.parquet")) for split in SPLITS]
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
