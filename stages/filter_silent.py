"""Decode each audio track and decide whether the video is audible; later stages use only audible ones."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.audio.imported import judge_imported
from pipeline.audio.silence import filter_silent
from pipeline.foundations.params import Params
from pipeline.foundations.tables.features import features_of
from stages import stage


@stage
def main(params: Params) -> str:
    """Write the `verdicts` table."""
    videos, target = Path("data/index/videos.parquet"), Path("data/audible/verdicts.parquet")
    if params.dataset.source == "features":
        return _told(judge_imported(videos, target, features_of(params.dataset)))
    counts = filter_silent(
        videos,
        target,
        root=Path(params.dataset.folder, params.dataset.videos),
        rules=params.filter_silent,
        media=params.media,
        execution=params.execution,
    )
    return _told(counts)


def _told(counts: Mapping[str, int]) -> str:
    return f"{sum(counts.values()):,} videos: " + ", ".join(f"{count:,} {name}" for name, count in counts.items())


if __name__ == "__main__":
    main()
