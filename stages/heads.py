"""Train heads on frozen features from several seeds, as params.yaml has them and tuned; score the test videos."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.evaluate.frozen import predict
from pipeline.foundations.params import Params
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import METRICS, map_sample_of_each
from pipeline.model.design import Design
from pipeline.train.frozen import HeadTrainer
from pipeline.train.heads import Fitted
from pipeline.train.inputs import Inputs
from pipeline.train.tune import Row, as_given, rows_of, tune
from stages import stage
from stages.freeze import FEATURES, VIEW_FEATURES

PREDICTIONS, TRIALS = Path("data/frozen/predictions"), Path("data/frozen/trials.parquet")
FIGURES = Path("data/frozen/metrics.json")
DECIMALS = 4


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
        FEATURES,
        Inputs(),
        Design.of(params),
        frozen=frozen,
        train=params.train,
        metric=map_sample_of_each,
        execution=params.execution,
    )
    features = tables.read("view_features", VIEW_FEATURES)
    with files.atomic_write(PREDICTIONS) as draft:
        draft.mkdir()
        write = partial(write_predictions, trainer=trainer, features=features, params=params)
        given = trainer.fit(as_given(frozen).trials(seeds), keep=True)
        rows = rows_of("untuned", 0, given, chosen=False)
        figures = {"untuned": write(draft / "untuned", given), "videos": features.num_rows}
        if frozen.tune:
            tuned = tune(frozen, lambda trials, keep: trainer.fit(trials, keep=keep), seed=params.seed, seeds=seeds)
            rows += tuned.rows
            figures["tuned"] = write(draft / "tuned", tuned.fitted) | tuned.rates._asdict()
            figures["tuning"] = budget(tuned.rows, frozen.tune_seeds)
    tables.write("trials", TRIALS, tables.from_rows("trials", sorted(rows)))
    files.write_text(FIGURES, json.dumps(figures, indent=2) + "\n")
    return f"{len(rows)} heads of {' + '.join(params.model.heads)} on frozen features; {FIGURES}"


def write_predictions(
    folder: Path, fitted: Sequence[Fitted], *, trainer: HeadTrainer, features: pa.Table, params: Params
) -> dict[str, float]:
    """Score the test videos with each head, a table of predictions each; the means of the metrics.

    Raises:
        PlainError: a head diverged, and no other setting was asked for.
    """
    if diverged := [one.trial.seed for one in fitted if one.diverged]:
        if not params.frozen.tune:
            raise PlainError(f"the loss is not a finite number from seed {diverged[0]}; lower frozen.learning_rate")
        return {"seeds": len(fitted), "diverged": len(diverged)}
    actions, found = tables.read("actions", Inputs().actions).num_rows, []
    folder.mkdir()
    for repeat, one in enumerate(fitted):
        scored = predict(features, trainer.model(one), Inputs().whitened, params.evaluate)
        tables.write("predictions", folder / f"{repeat:03d}.parquet", scored)
        scores, targets = tables.vectors(scored["scores"]), tables.multi_hot(scored["actions"], actions)
        found.append({name: metric(scores, targets) for name, metric in METRICS.items()})
    means = {name: round(float(np.mean([one[name] for one in found])), DECIMALS) for name in METRICS}
    return means | {"seeds": len(fitted)}


def budget(rows: Sequence[Row], seeds: int) -> dict[str, int]:
    """How many settings were tried from how many seeds, and how many of these trainings diverged."""
    tried = [row for row in rows if row.role == "tuning"]
    return {"settings": len(tried) // seeds, "seeds": seeds, "diverged": sum(row.diverged for row in tried)}


if __name__ == "__main__":
    main()
