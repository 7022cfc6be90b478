"""Train heads on frozen features from several seeds, untuned and tuned; score the test videos."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipeline.evaluate.frozen import score_each
from pipeline.foundations.params import Params
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.memory import keep_freed_blocks
from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import map_sample_of_each
from pipeline.model.backbones.imported import NAME as IMPORTED
from pipeline.model.design import Design
from pipeline.train.frozen import BACKBONE, HeadTrainer, frozen_splits
from pipeline.train.heads import Fitted
from pipeline.train.inputs import Inputs
from pipeline.train.tune import as_given, rows_of, tune
from stages import stage
from stages.freeze import FEATURES, VIEW_FEATURES

PREDICTIONS, TRIALS = Path("data/frozen/predictions"), Path("data/frozen/trials.parquet")
FIGURES = Path("data/frozen/metrics.json")


@stage
def main(params: Params) -> str:
    """Write the predictions of each seed, every training in table `trials`, and the means of the metrics."""
    frozen, seeds = params.frozen, [params.seed + repeat for repeat in range(params.frozen.repeats)]
    if frozen.tune and params.evaluate.split == "val":
        raise PlainError(
            "frozen.tune chooses rates on the validation split, and evaluate.split is val: the scores would be of the "
            "videos that the rates were chosen on; set evaluate.split to test, or frozen.tune to false"
        )
    trainer = HeadTrainer(
        partial(frozen_splits, FEATURES),
        replace(Inputs(), clips=FEATURES),
        Design.of(params),
        backbone=None if params.backbone.name == IMPORTED else FEATURES / BACKBONE,
        schedule=frozen,
        train=params.train,
        metric=map_sample_of_each,
        execution=params.execution,
    )
    with files.atomic_write(PREDICTIONS) as draft:
        draft.mkdir()
        write = partial(write_predictions, trainer=trainer, params=params)
        given = trainer.fit(as_given(frozen).trials(seeds), keep=True)
        rows = rows_of("untuned", 0, given, chosen=False)
        figures = {"untuned": write(draft / "untuned", given), "videos": tables.length("view_features", VIEW_FEATURES)}
        if frozen.tune:
            tuned = tune(frozen, lambda trials, keep: trainer.fit(trials, keep=keep), seed=params.seed, seeds=seeds)
            rows += tuned.rows
            figures["tuned"] = write(draft / "tuned", tuned.fitted) | tuned.rates._asdict()
            figures["tuning"] = tuned.budget
    tables.write("trials", TRIALS, tables.from_rows("trials", sorted(rows)))
    files.write_text(FIGURES, json.dumps(figures, indent=2) + "\n")
    return f"{len(rows)} heads of {' + '.join(params.model.heads)} on frozen features; {FIGURES}"


def write_predictions(
    folder: Path, fitted: Sequence[Fitted], *, trainer: HeadTrainer, params: Params
) -> dict[str, float]:
    """Score the test videos with each head; the means of the metrics, or how many heads diverged.

    Raises:
        PlainError: a head diverged, and no other setting was asked for.
    """
    if diverged := [one.trial.seed for one in fitted if one.diverged]:
        if not params.frozen.tune:
            raise PlainError(f"the loss is not a finite number from seed {diverged[0]}; lower frozen.learning_rate")
        return {"seeds": len(fitted), "diverged": len(diverged)}
    models = (trainer.model(one) for one in fitted)
    return score_each(folder, models, VIEW_FEATURES, Inputs().whitened, evaluate=params.evaluate)


if __name__ == "__main__":
    keep_freed_blocks()
    main()
