"""Decode each sound track and give each video a verdict: later stages describe the audible ones alone."""

from pathlib import Path

from pipeline.audio.silence import filter_silent
from pipeline.foundations.params import Params
from stages import stage


@stage
def main(params: Params) -> str:
    """Write the `verdicts` table."""
    counts = filter_silent(
        Path("data/index/videos.parquet"),
        Path("data/audible/verdicts.parquet"),
        root=Path(params.dataset.folder, params.dataset.videos),
        rules=params.filter_silent,
        media=params.media,
        execution=params.execution,
    )
    return f"{sum(counts.values()):,} videos: " + ", ".join(f"{count:,} {name}" for name, count in counts.items())


if __name__ == "__main__":
    main()
