"""Embed the sound of every audible video by VGGish, 3 patches x 128, raw."""

from pathlib import Path

from pipeline.audio.extraction import extract
from pipeline.params import Params
from stages import stage


@stage
def main(params: Params) -> str:
    """Write the tables `vggish` and `exclusions`."""
    counts = extract(
        Path("data/index/videos.parquet"),
        Path("data/audible/verdicts.parquet"),
        Path("models/pretrained/vggish.safetensors"),
        Path("data/features/vggish.parquet"),
        Path("data/features/excluded.parquet"),
        root=Path(params.dataset.folder, params.dataset.videos),
        vggish=params.vggish,
        media=params.media,
        execution=params.execution,
    )
    return (
        f"{counts['embedded'] + counts['padded']:,} videos embedded, {counts['padded']:,} of them padded to 2.895 s; "
        f"{counts['dropped']:,} dropped as too short, {counts['failed']:,} failed"
    )


if __name__ == "__main__":
    main()
