"""Training on imported features: the heads alone, by the trainer of frozen features; nothing is decoded.

`train` gives the schedule; the head's rate is `train.learning_rate` times `train.head_rate`, as in joint training.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_array

from pipeline.clips.imported import array_name, origin_of
from pipeline.foundations.params import Train
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say
from pipeline.foundations.runtime.shards import locked_work_dir
from pipeline.model.checkpoint import save_model
from pipeline.model.loss import bce
from pipeline.train.curves import Curves
from pipeline.train.experiment import Experiment, Outcome, keep_curves, parameters_of
from pipeline.train.frozen import HeadTrainer, imported_splits
from pipeline.train.heads import Epoch, Log, Trial
from pipeline.train.loop import STATE, Metric
from pipeline.train.schedule import learning_rate
from pipeline.train.split import Split
from pipeline.train.stack_state import Checkpoint
from pipeline.train.state import Record


def run_imported(experiment: Experiment, *, model_folder: Path, curves_folder: Path) -> Outcome:
    """Train a model on imported features and write it with its curves; interrupted, the same goes on where it was.

    Raises:
        PlainError: as `pipeline.train.heads.fit_heads`, inputs do not fit one another, or the loss is not finite.
    """
    inputs, seed = experiment.inputs, experiment.seed
    splits = imported_splits(inputs, with_sounds=experiment.design.model.late_fusion)
    key = experiment.work_key([(name, files.sha256(inputs.clips / array_name(name))) for name in splits])
    with locked_work_dir("train", key) as folder, Curves(folder / "curves", board=experiment.board(key)) as curves:
        checkpoint = Checkpoint(folder / STATE)
        for record in checkpoint.records:
            curves.log(record)
        log = partial(_log, checkpoint.records, curves, experiment, splits["val"].targets)
        trainer = make_trainer(experiment, splits, log, checkpoint)
        (fitted,) = trainer.fit([trial_of(experiment.train, seed)], keep=True)
        if fitted.diverged:
            raise PlainError("the loss is not a finite number: lower train.learning_rate or train.head_rate")
        model = trainer.model(fitted)
        save_model(model_folder, model, replace(trainer.description(seed), features=origin_of(inputs.clips)))
        keep_curves(folder, curves_folder)
    return Outcome(parameters_of(model), splits["train"].videos, checkpoint.records[-1])


def make_trainer(experiment: Experiment, splits: Mapping[str, Split], log: Log, checkpoint: Checkpoint) -> HeadTrainer:
    """The trainer of the experiment's head."""
    return HeadTrainer(
        lambda: splits,
        experiment.inputs,
        experiment.design,
        backbone=None,
        schedule=experiment.train,
        train=experiment.train,
        metric=_unused,
        execution=experiment.execution,
        log=log,
        checkpoint=checkpoint,
    )


def trial_of(train: Train, seed: int) -> Trial:
    """How `train` trains a head."""
    return Trial(seed, train.learning_rate * train.head_rate, train.head_decay, train.epochs)


def _log(records: list[Record], curves: Curves, experiment: Experiment, validated_BN: csr_array, epoch: Epoch) -> None:
    """Add an epoch's record to those before, to the curves and to the log."""
    record = record_of(epoch, experiment.train, validated_BN, experiment.metrics)
    records.append(record)
    curves.log(record)
    figures = ", ".join(f"{name} {value:.4g}" for name, value in record.items())
    say(f"epoch {epoch.number} of {experiment.train.epochs}: {figures}")


def record_of(epoch: Epoch, train: Train, sparse_BN: csr_array, metrics: Mapping[str, Metric]) -> Record:
    """What is written of an epoch; metrics of the validation videos where they are due."""
    rate = learning_rate(epoch.number - 1, train) * train.head_rate
    record = {"train/loss": epoch.losses[0], "train/learning_rate": rate}
    due = epoch.number % train.validate_every == 0 or epoch.number == train.epochs
    if not due or not sparse_BN.shape[0]:
        return record
    (logits_BN,), targets_BN = epoch.logits(), sparse_BN.toarray()
    scores_BN = torch.from_numpy(logits_BN).sigmoid().numpy()
    loss = float(bce(torch.from_numpy(logits_BN), torch.from_numpy(targets_BN)))
    return (
        record | {"val/loss": loss} | {f"val/{name}": metric(scores_BN, targets_BN) for name, metric in metrics.items()}
    )


def _unused(scores_MBN: np.ndarray, targets_BN: np.ndarray) -> np.ndarray:
    """Of a training that chooses nothing, the score at the end is not needed: its curves have it."""
    return np.full(len(scores_MBN), np.nan)
