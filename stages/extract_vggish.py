"""Embed the sound of every audible video by VGGish, 3 patches x 128, raw."""

from pathlib import Path

from pipeline.audio.extraction import extract
from pipeline.audio.vggish import is_untrained
from pipeline.foundations.params import Params
from stages import stage

WEIGHTS = Path("models/pretrained/vggish.safetensors")


@stage
def main(params: Params) -> str:
    """Write the tables `vggish` and `exclusions`."""
    counts = extract(
        Path("data/index/videos.parquet"),
        Path("data/audible/verdicts.parquet"),
        WEIGHTS,
        Path("data/features/vggish.parquet"),
        Path("data/features/excluded.parquet"),
        root=Path(params.dataset.folder, params.dataset.videos),
        vggish=params.vggish,
        media=params.media,
        execution=params.execution,
    )
    how = " by UNTRAINED weights" if is_untrained(WEIGHTS) else ""
    return (
        f"{counts['embedded'] + counts['padded']:,} videos embedded{how}, {counts['padded']:,} of them padded to "
        f"2.895 s; {counts['dropped']:,} dropped as too short, {counts['failed']:,} failed"
    )


if __name__ == "__main__":
    main()
