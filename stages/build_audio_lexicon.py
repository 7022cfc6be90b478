"""Pair the whitened embeddings of training videos with their actions."""

from pathlib import Path

from pipeline.foundations.params import Params
from pipeline.foundations.tables import tables
from pipeline.lexicon import audio
from stages import stage


@stage
def main(params: Params) -> str:
    """Write the `audio` table."""
    names = tables.read("actions", Path("data/index/actions.parquet"))["action"].to_pylist()
    members = audio.training_videos(
        params.audio_lexicon.scope,
        videos=Path("data/index/videos.parquet"),
        train=Path("data/splits/train.parquet"),
    )
    built = audio.build(
        members, Path("data/features/whitened.parquet"), Path("data/lexicons/audio.parquet"), actions=len(names)
    )
    line = f"{built.pairs:,} pairs of {built.videos:,} videos and {len(names) - len(built.missing):,} actions"
    if built.missing:
        line += f"; without a form: {', '.join(names[action] for action in built.missing)}"
    return line


if __name__ == "__main__":
    main()
