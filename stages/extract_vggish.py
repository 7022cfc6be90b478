"""Embed the sound of every audible video by VGGish, 3 patches x 128, raw."""

from pathlib import Path

from pipeline.audio.extraction import extract
from pipeline.audio.imported import take_imported
from pipeline.audio.vggish import is_untrained
from pipeline.foundations.params import Params
from pipeline.foundations.tables.features import features_of
from stages import stage

WEIGHTS = Path("models/pretrained/vggish.safetensors")
VIDEOS, VERDICTS = Path("data/index/videos.parquet"), Path("data/audible/verdicts.parquet")
TARGET, EXCLUDED = Path("data/features/vggish.parquet"), Path("data/features/excluded.parquet")


@stage
def main(params: Params) -> str:
    """Write the tables `vggish` and `exclusions`."""
    if params.dataset.source == "features":
        folder = features_of(params.dataset)
        forms, sound = take_imported(VIDEOS, VERDICTS, TARGET, EXCLUDED, folder), folder.manifest.sound
        about = f"{sound.model}, {'whitened' if sound.whitened else 'not whitened'}" if sound else "none are there"
        return f"{forms:,} forms as they were imported ({about}); nothing was decoded"
    counts = extract(
        VIDEOS,
        VERDICTS,
        WEIGHTS,
        TARGET,
        EXCLUDED,
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
