"""Train the CNN-GCN."""

from pathlib import Path

from pipeline.foundations.params import Params
from pipeline.metrics.metrics import map_action, map_sample
from pipeline.train.assemble import Design, ModelInputs
from pipeline.train.experiment import Videos, run
from stages import stage

VIDEOS = Videos(
    train=Path("data/splits/train.parquet"),
    val=Path("data/splits/val.parquet"),
    clips=Path("data/clips"),
    whitened=Path("data/features/whitened.parquet"),
)
INPUTS = ModelInputs(
    actions=Path("data/index/actions.parquet"),
    adjacency=Path("data/graph/adjacency.parquet"),
    audio=Path("data/lexicons/audio.parquet"),
    text=Path("data/lexicons/text.parquet"),
    backbone=Path("models/pretrained/backbone.safetensors"),
)
METRICS = {"map_sample": map_sample, "map_action": map_action}


@stage
def main(params: Params) -> str:
    """Write the trained model and its learning curves."""
    made = run(
        VIDEOS,
        INPUTS,
        model_folder=Path("models/m3a"),
        curves_folder=Path("data/curves"),
        design=design_of(params),
        train=params.train,
        metrics=METRICS,
        seed=params.seed + params.train.seed_offset,
        execution=params.execution,
    )
    figures = ", ".join(f"{name} {value:.4g}" for name, value in made.record.items() if name.startswith("val/"))
    heads = " + ".join(params.model.heads)
    return f"{heads} on {params.backbone.name}, {made.parameters:,} parameters, {made.videos:,} videos; {figures}"


def design_of(params: Params) -> Design:
    """The parameters that shape the model."""
    return Design(
        frames=params.frames,
        backbone=params.backbone,
        lexicon=params.lexicon,
        gcn=params.gcn,
        transformer=params.transformer,
        model=params.model,
        normalization=params.adjacency.normalization,
    )


if __name__ == "__main__":
    main()
