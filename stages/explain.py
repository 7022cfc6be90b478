"""Explain the trained model: Grad-CAM, learnt relations, gains over a baseline."""

from pathlib import Path

import pyarrow as pa

from pipeline.dataset.sample.places import read_places
from pipeline.evaluate.testing import videos_of
from pipeline.explain.models import explained
from pipeline.explain.run import Lexicon, Places, run
from pipeline.foundations.params import Params
from pipeline.foundations.tables import tables
from stages import stage


@stage
def main(params: Params) -> str:
    """Write the pictures and the tables of data/explain."""
    split = tables.read("splits", Path(f"data/splits/{params.evaluate.split}.parquet"))
    videos = tables.read("videos", Path("data/index/videos.parquet"))
    imported = params.dataset.source == "features"  # imported features: there are no pictures to draw
    return run(
        Path("data/explain"),
        explained(Path(), params.explain.baseline),
        [] if imported else videos_of(split, videos, Path(params.dataset.folder, params.dataset.videos)),
        _places(params, videos),
        tables.read("adjacency", Path("data/graph/adjacency.parquet")),
        _lexicon(params, videos),
        explain=params.explain,
        evaluate=params.evaluate,
        media=params.media,
        execution=params.execution,
        seed=params.seed,
    )


def _lexicon(params: Params, videos: pa.Table) -> Lexicon:
    """The videos of the audio forms; the forms themselves, which may be many, are not read."""
    columns = ["action_id", "video_id"]
    if params.dataset.source == "features":  # imported features have no sound to play
        return Lexicon(tables.empty("audio").select(columns), {})
    pairs = pa.concat_tables(tables.read_stream("audio", Path("data/lexicons/audio.parquet"), columns))
    lending = videos_of(pairs, videos, Path(params.dataset.folder, params.dataset.videos))
    return Lexicon(pairs, {video.video_id: video for video in lending})


def _places(params: Params, videos: pa.Table) -> Places:
    """The places of the sample's actions, by ids; unknown for other data."""
    if params.dataset.source != "sample":
        return {}
    actions = tables.read("actions", Path("data/index/actions.parquet"))["action"].to_pylist()
    ids = dict(zip(videos["path"].to_pylist(), videos["video_id"].to_pylist(), strict=True))
    return {
        ids[path]: {actions.index(action): places for action, places in known.items()}
        for path, known in read_places(Path(params.dataset.folder, params.dataset.annotations), params.render).items()
        if path in ids
    }


if __name__ == "__main__":
    main()
