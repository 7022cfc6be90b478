"""Whiten the embeddings by PCA, with parameters fitted on the training videos or released."""

from pathlib import Path

from pipeline.audio.whitening import whiten
from pipeline.foundations.params import Params
from stages import stage


@stage
def main(params: Params) -> str:
    """Write the tables `whitened` and `whitening`."""
    return whiten(
        Path("data/index/videos.parquet"),
        Path("data/features/vggish.parquet"),
        Path("data/features/whitened.parquet"),
        Path("data/features/whitening.parquet"),
        params.whitening,
    )


if __name__ == "__main__":
    main()
