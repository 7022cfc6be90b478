"""Score every video of the test split over its views; compute metrics beside reference rankings."""

import json
from pathlib import Path

import pyarrow as pa

from pipeline.evaluate import scoring, testing
from pipeline.evaluate.imported import score_imported
from pipeline.evaluate.summary import show
from pipeline.foundations.params import Params
from pipeline.foundations.runtime.files import write_text
from pipeline.foundations.runtime.progress import console
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.features import features_of
from pipeline.model.checkpoint import description_of
from stages import stage

TARGET = Path("data/predictions")
METRICS = Path("data/metrics.json")
MODEL, WEIGHTS = Path("models/m3a"), Path("models/pretrained/weights.json")
WHITENED = Path("data/features/whitened.parquet")


@stage
def main(params: Params) -> str:
    """Write the tables of predictions and figures, and the headline metrics."""
    split = tables.read("splits", Path(f"data/splits/{params.evaluate.split}.parquet"))
    counts = _score(split, params)
    figures = scoring.figures(
        tables.read("predictions", TARGET / "predictions.parquet"),
        tables.read("splits", Path("data/splits/train.parquet")),
        tables.read("actions", Path("data/index/actions.parquet")),
        bootstrap=params.evaluate.bootstrap,
        seed=params.seed,
    )
    tables.write("metrics", TARGET / "metrics.parquet", figures.metrics)
    tables.write("per_action", TARGET / "per_action.parquet", figures.per_action)
    headline = figures.headline | {"excluded": counts["excluded"]} | _warning()
    write_text(METRICS, json.dumps(headline, indent=2) + "\n")
    show(figures.metrics, console)
    return f"{counts['predictions']:,} videos scored, {counts['excluded']:,} excluded; {METRICS}"


def _score(split: pa.Table, params: Params) -> dict[str, int]:
    """Write the predictions; returns the numbers of scored and excluded videos."""
    if params.dataset.source == "features":
        return score_imported(TARGET, split, MODEL, features_of(params.dataset), WHITENED, params.evaluate)
    videos = tables.read("videos", Path("data/index/videos.parquet"))
    tested = testing.videos_of(split, videos, Path(params.dataset.folder, params.dataset.videos))
    about = description_of(MODEL)
    return testing.score(
        TARGET,
        testing.with_sounds(tested, WHITENED) if about.design.model.late_fusion else tested,
        MODEL,
        evaluate=params.evaluate,
        media=params.media,
        execution=params.execution,
    )


def _warning() -> dict[str, bool]:
    """A warning that VGGish is untrained, where it is."""
    weights = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return {} if weights["vggish"]["trained"] else {"untrained_audio_weights": True}


if __name__ == "__main__":
    main()
