"""Train the CNN-GCN jointly."""

from pathlib import Path

from pipeline.evaluate.metrics import map_action, map_sample
from pipeline.params import Params
from pipeline.train.assemble import Design, Knowledge
from pipeline.train.experiment import Targets, Videos, run
from stages import stage

VIDEOS = Videos(train=Path("data/splits/train.parquet"), val=Path("data/splits/val.parquet"), clips=Path("data/clips"))
KNOWLEDGE = Knowledge(
    actions=Path("data/index/actions.parquet"),
    adjacency=Path("data/graph/adjacency.parquet"),
    audio=Path("data/lexicons/audio.parquet"),
    text=Path("data/lexicons/text.parquet"),
    backbone=Path("models/pretrained/backbone.safetensors"),
)
TARGETS = Targets(model=Path("models/m3a"), curves=Path("data/curves"))


@stage
def main(params: Params) -> str:
    """Write the trained model and its learning curves."""
    design = Design(
        frames=params.frames,
        backbone=params.backbone,
        lexicon=params.lexicon,
        gcn=params.gcn,
        transformer=params.transformer,
        model=params.model,
        normalization=params.adjacency.normalization,
    )
    made = run(
        VIDEOS,
        KNOWLEDGE,
        TARGETS,
        design=design,
        train=params.train,
        metrics={"map_sample": map_sample, "map_action": map_action},
        seed=params.seed,
        execution=params.execution,
    )
    figures = ", ".join(f"{name} {value:.4g}" for name, value in made.record.items() if name.startswith("val/"))
    heads = " + ".join(params.model.heads)
    return f"{heads} on {params.backbone.name}, {made.parameters:,} parameters, {made.videos:,} videos; {figures}"


if __name__ == "__main__":
    main()
