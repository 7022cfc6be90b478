"""Fetch VGGish, word vectors and the backbone to local, hashed files."""

from pathlib import Path

from pipeline.foundations.params import Params
from pipeline.foundations.tables import tables
from pipeline.weights import pretrained
from stages import stage


@stage
def main(params: Params) -> str:
    """Write models/pretrained."""
    actions = tables.read("actions", Path("data/index/actions.parquet"))
    weights = pretrained.fetch(
        Path("models/pretrained"),
        seed=params.seed,
        vggish=params.vggish,
        words=params.words,
        backbone=params.backbone,
        actions=dict(zip(actions["action"].to_pylist(), actions["words"].to_pylist(), strict=True)),
        recording=Path("data/external/speech_16khz.wav"),
    )
    return pretrained.summary(weights)


if __name__ == "__main__":
    main()
