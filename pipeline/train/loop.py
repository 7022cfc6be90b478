"""The training loop.

An epoch is a pass over the training videos; then, where due, precise batch norm and validation. A checkpoint is saved
in one file after each epoch and every few minutes within it: a stopped run resumes and ends with the same bits.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.foundations.params import Frames, Train
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import write_text
from pipeline.foundations.runtime.progress import say, track
from pipeline.foundations.tables.seeds import seed_of
from pipeline.model.normalize import as_clips
from pipeline.train.batches import in_order, load, shuffled
from pipeline.train.data import Batch, Examples, Pick
from pipeline.train.distributed import DistributedContext
from pipeline.train.objective import Loss, Objective, compile_objective
from pipeline.train.optimizer import set_rate, set_training
from pipeline.train.precise_bn import measure_batch_norm
from pipeline.train.schedule import learning_rate
from pipeline.train.state import Learner, Progress, Record, load_state, save_state
from pipeline.train.step import LateLoss, clip_of, descend, skip_unless_finite

STATE = "state.safetensors"
NOT_FINITE = "not_finite.json"

Metric = Callable[[np.ndarray, np.ndarray], float]
"""Scores B x N and targets B x N to percent."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """The examples of a training run."""

    training: Examples
    measuring: Examples
    """The training videos again, in views of their own, for precise batch norm."""
    validation: Examples


@dataclass(frozen=True, kw_only=True)
class Run:
    """What stays constant during a training run."""

    train: Train
    frames: Frames
    seed: int
    loss: Loss
    metrics: Mapping[str, Metric]
    """Metrics on the validation videos, by name."""
    context: DistributedContext
    workers: int
    """Loader processes."""
    folder: Path
    """Folder of the checkpoint."""
    checkpoint_minutes: float


def fit(
    learner: Learner, data: Data, run: Run, *, on_epoch_start: Callable[[int], None], log: Callable[[Record], None]
) -> Progress:
    """Train to the last epoch, from the beginning or from where an earlier call stopped.

    Args:
        learner: a fresh model and optimizer, on the context's device; changed in place.
        data: the examples.
        run: everything else.
        on_epoch_start: called at the beginning of each epoch with its number (lexicon forms that are drawn again).
        log: called with each finished epoch's record, those of an interrupted run first.

    Raises:
        PlainError: the loss or a weight is not finite, there are fewer videos than a batch holds, or a batch cannot be
            shared evenly.
    """
    train = run.train
    if train.batch % run.context.size:
        raise PlainError(
            f"train.batch is {train.batch}, which {run.context.size} processes cannot share evenly; set a multiple"
        )
    progress = load_state(run.folder / STATE, learner)
    if progress != Progress():
        say(f"train: going on from epoch {progress.epoch + 1}, step {progress.step + 1}")
    for record in progress.history:
        log(record)
    objective = Objective(learner.model, run.frames, run.loss)
    compile_objective(objective, train.compile, deterministic=torch.are_deterministic_algorithms_enabled())
    parallel = run.context.wrap_ddp(objective)
    while progress.epoch < train.epochs:
        on_epoch_start(progress.epoch)
        progress = train_epoch(learner, parallel, data.training, progress, run)
        number = progress.epoch + 1
        if not weights_are_finite(learner):  # by the last step: unsaved, so that a rerun does not go on from them
            raise PlainError(
                f"a weight is not a finite number after epoch {number}: lower train.learning_rate or train.head_rate, "
                "or set train.gradient_clip"
            )
        record = {
            "train/loss": progress.loss / progress.step,
            "train/learning_rate": learning_rate(progress.epoch, train),
        }
        if number % train.validate_every == 0 or number == train.epochs:
            measure(learner.result, data.measuring, progress.epoch, run)
            record |= validate(learner.result, data.validation, run)
        progress = progress.after_epoch(record)
        save_progress(learner, progress, run)
        log(record)
        say(f"epoch {number} of {train.epochs}: " + ", ".join(f"{name} {value:.4g}" for name, value in record.items()))
    return progress


class Step(NamedTuple):
    """A step that was taken, or on a GPU launched."""

    loss: LateLoss
    rows: Tensor
    """Of its batch."""


def train_epoch(learner: Learner, objective: nn.Module, examples: Examples, progress: Progress, run: Run) -> Progress:
    """Train the rest of the current epoch; returns the progress after it.

    On a GPU a step's loss is read after the next step was asked for, so that the GPU always has work.
    """
    train, epoch = run.train, progress.epoch
    batches = shuffled(len(examples), train.batch, seed=run.seed, purpose="train", epoch=epoch)
    if not batches:
        raise PlainError(
            f"train.batch is {train.batch}, but there are only {len(examples):,} training videos: "
            "lower it or add videos"
        )
    todo, unread, kept = batches[progress.step :], deque[Step](), time.monotonic()
    set_training(learner.model, train)
    shown = track(device_batches(examples, todo, run), total=len(todo), label=f"epoch {epoch + 1} of {train.epochs}")
    for number, batch in enumerate(shown, start=progress.step):
        torch.manual_seed(seed_of(run.seed, "step", epoch, number, *run.context.key))
        set_rate(learner.optimizer, learning_rate(epoch + number / len(batches), train))
        unread.append(step(learner, objective, batch, run))
        progress = read(unread, progress, examples, run, leave=run.context.late)
        due = time.monotonic() - kept >= 60.0 * run.checkpoint_minutes  # by each process's own clock
        good = due and all(isfinite(taken.loss.read()) for taken in unread) and weights_are_finite(learner)
        if good:  # if not, all processes end together, later
            progress = read(unread, progress, examples, run, leave=0)
            save_progress(learner, progress, run)
            kept = time.monotonic()
    return read(unread, progress, examples, run, leave=0)


def read(unread: deque[Step], progress: Progress, examples: Examples, run: Run, *, leave: int) -> Progress:
    """Read the losses of steps but for the last `leave`; returns the progress after those that were read.

    Raises:
        PlainError: one is not finite.
    """
    while len(unread) > leave:
        taken = unread.popleft()
        loss = taken.loss.read()
        if not isfinite(loss):
            abort_non_finite(examples, taken.rows, progress, run)
        progress = progress.after_step(loss)
    return progress


def step(learner: Learner, objective: nn.Module, batch: Batch, run: Run) -> Step:
    """Take one optimizer step on a batch, whose loss is unscaled. A loss that is not finite changes nothing.

    On a GPU the step is only asked for: nothing here waits for it.
    """
    try:
        loss = objective(batch.pictures, batch.sounds, batch.targets)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):  # PyTorch's batch norm
            raise
        raise PlainError(
            f"train.batch leaves {len(batch.rows)} clip a process, and of train.crop {run.train.crop} that is one "
            "value a channel for a batch norm: take more clips, larger ones, or train.freeze_batch_norm"
        ) from error
    mean = run.context.mean(loss.detach())
    if run.context.late:
        skip_unless_finite(learner.optimizer, mean)
    if run.context.late or isfinite(float(mean)):
        scaled, clip = loss * run.train.loss_scale, clip_of(run.train)
        descend(scaled, learner.model, learner.optimizer, average=learner.average, clip=clip)
    return Step(LateLoss(mean), batch.rows)


def measure(model: nn.Module, examples: Examples, epoch: int, run: Run) -> None:
    """Recompute batch norm statistics on training batches, in views drawn for this alone (precise batch norm)."""
    train = run.train
    if train.freeze_backbone or train.freeze_batch_norm or not train.precise_bn_batches:
        run.context.share_buffers(model)
        return
    batches = shuffled(len(examples), train.batch, seed=run.seed, purpose="precise_bn", epoch=epoch)
    chosen = batches[: train.precise_bn_batches]
    clips = (as_clips(batch.pictures, run.frames) for batch in device_batches(examples, chosen, run))
    measure_batch_norm(model, track(clips, total=len(chosen), label="precise batch norm"), run.context)


@torch.no_grad()
def validate(model: nn.Module, examples: Examples, run: Run) -> Record:
    """The loss and the metrics on the validation videos, one view of each; nothing where there are none."""
    if not len(examples):
        return {}
    model.eval()
    rows, logits, targets = [], [], []
    for batch in device_batches(examples, in_order(len(examples), run.train.batch), run):
        logits.append(model(as_clips(batch.pictures, run.frames), batch.sounds).float().cpu())
        rows.append(batch.rows.cpu().clone())  # the loader's own would each keep a file open until the end
        targets.append(batch.targets.cpu().clone())
    parts = run.context.gather((torch.cat(rows), torch.cat(logits), torch.cat(targets)))
    rows_B, logits_BN, targets_BN = (torch.cat(column) for column in zip(*parts, strict=True))
    order_B = rows_B.argsort()
    logits_BN, targets_BN = logits_BN[order_B], targets_BN[order_B]
    scores = logits_BN.sigmoid().numpy()
    record = {f"val/{name}": metric(scores, targets_BN.numpy()) for name, metric in run.metrics.items()}
    return {"val/loss": float(run.loss(logits_BN, targets_BN))} | record


def device_batches(examples: Examples, batches: Sequence[Sequence[Pick]], run: Run) -> Iterator[Batch]:
    """This process's part of each batch, on its device."""
    parts = (run.context.local_shard(batch) for batch in batches)
    for batch in load(examples, [part for part in parts if part], workers=run.workers, device=run.context.device):
        yield Batch(*(tensor.to(run.context.device, non_blocking=True) for tensor in batch))


def weights_are_finite(learner: Learner) -> bool:
    """Whether no weight is NaN or infinite: every process answers the same."""
    return all(bool(weight.isfinite().all()) for weight in learner.model.parameters())


def save_progress(learner: Learner, progress: Progress, run: Run) -> None:
    """Save a checkpoint within the run."""
    if run.context.is_main:
        save_state(run.folder / STATE, learner, progress)


def abort_non_finite(examples: Examples, own_rows: Tensor, progress: Progress, run: Run) -> None:
    """Abort a run whose loss is not finite, and write the names of the batch's videos."""
    rows = sorted(row for part in run.context.gather(own_rows.tolist()) for row in part)
    place = {"epoch": progress.epoch, "step": progress.step}
    note = run.folder / NOT_FINITE
    if run.context.is_main:
        videos = [examples.video_ids[row].as_py() for row in rows]
        write_text(note, json.dumps(place | {"videos": videos}, indent=2) + "\n")
    raise PlainError(
        f"the loss is not a finite number in epoch {progress.epoch + 1}, step {progress.step + 1}; {note} names the "
        "videos of the batch. Lower train.learning_rate, set train.gradient_clip, or look at those videos"
    )
