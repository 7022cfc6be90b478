"""Train heads on frozen features from several seeds, and score the test videos with each."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.evaluate import frozen as looks
from pipeline.foundations.params import Params
from pipeline.foundations.runtime import files
from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import METRICS
from pipeline.train.frozen import train_heads
from stages import stage
from stages.freeze import FEATURES, VIEWED
from stages.train import source_of

TARGET, FIGURES = Path("data/frozen/predictions"), Path("data/frozen/metrics.json")
WHITENED = Path("data/features/whitened.parquet")
DECIMALS = 4


@stage
def main(params: Params) -> str:
    """Write a table of predictions for each seed, and the mean of their metrics."""
    viewed, found = tables.read("viewed", VIEWED), []
    source = replace(source_of(params, params.seed), metrics={})  # of validation, whose curves nobody sees here
    actions = tables.read("actions", Path("data/index/actions.parquet")).num_rows
    with files.atomic_write(TARGET) as draft:
        draft.mkdir()
        for repeat in range(params.frozen.repeats):
            model, _, _ = train_heads(FEATURES, source, seed=params.seed + repeat)
            scored = looks.predict(viewed, model, WHITENED, params.evaluate)
            tables.write("predictions", draft / f"{repeat:03d}.parquet", scored)
            scores, targets = tables.vectors(scored["scores"]), tables.multi_hot(scored["actions"], actions)
            found.append({name: metric(scores, targets) for name, metric in METRICS.items()})
    means = {name: round(float(np.mean([one[name] for one in found])), DECIMALS) for name in METRICS}
    record = means | {"repeats": len(found), "videos": viewed.num_rows}
    files.write_text(FIGURES, json.dumps(record, indent=2) + "\n")
    return f"{len(found)} seeds of {' + '.join(params.model.heads)} on frozen features; {FIGURES}"


if __name__ == "__main__":
    main()
