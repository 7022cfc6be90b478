"""Train the CNN-GCN."""

from pathlib import Path

from pipeline.foundations.params import Params
from pipeline.metrics.metrics import map_action, map_sample
from pipeline.model.backbones.imported import NAME as IMPORTED
from pipeline.model.design import Design
from pipeline.train.experiment import Experiment, run
from pipeline.train.imported import run_imported
from pipeline.train.inputs import Inputs
from stages import stage

METRICS = {"map_sample": map_sample, "map_action": map_action}


@stage
def main(params: Params) -> str:
    """Write the trained model and its learning curves."""
    train = run_imported if params.backbone.name == IMPORTED else run
    experiment = Experiment(
        inputs=Inputs(),
        design=Design.of(params),
        train=params.train,
        metrics=METRICS,
        seed=params.seed + params.train.seed_offset,
        execution=params.execution,
    )
    made = train(experiment, model_folder=Path("models/m3a"), curves_folder=Path("data/curves"))
    figures = ", ".join(f"{name} {value:.4g}" for name, value in made.record.items() if name.startswith("val/"))
    heads = " + ".join(params.model.heads)
    return f"{heads} on {params.backbone.name}, {made.parameters:,} parameters, {made.videos:,} videos; {figures}"


if __name__ == "__main__":
    main()
