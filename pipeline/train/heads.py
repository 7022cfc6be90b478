"""Training heads on frozen features, many trials and seeds side by side as one batch (`pipeline.train.stack`).

A head that is trained among others ends as one that is trained alone, to rounding (tests state the tolerance): each
has its own weights, rate, decay, order of videos and forms, and none sees another's gradients. Shapes: M heads,
B videos of a batch, C backbone features, N actions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import vmap

from pipeline.foundations.params import Schedule, Train
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables.seeds import seed_of
from pipeline.model.model import HeadModel
from pipeline.train.batches import shuffled_rows
from pipeline.train.objective import Loss
from pipeline.train.schedule import learning_rate
from pipeline.train.split import Split
from pipeline.train.stack import HeadStack, draws_at_random, stacked_clip_of, stacked_optimizer
from pipeline.train.stack_state import Checkpoint, StackState
from pipeline.train.step import averaged, descend

SIDE_BY_SIDE = 4_000_000
"""Weights in one stack, so that it stays in a CPU's caches; more heads are trained one stack after the other."""


Log = Callable[["Epoch"], None]
StackedMetric = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Scores M x B x N and targets B x N to percent, M."""


class Trial(NamedTuple):
    """One training of a head."""

    seed: int
    """Of its weights, its forms and the order of the videos."""
    learning_rate: float
    weight_decay: float
    epochs: int


class Fitted(NamedTuple):
    """Result of a trial."""

    trial: Trial
    diverged: bool
    """Its loss, a weight or a score was not a finite number."""
    score: float
    """On the validation videos, one view of each; NaN where it diverged or there are none."""
    losses: tuple[float, ...]
    """Mean training loss of each epoch."""
    weights: dict[str, Tensor]
    """The head's, by the names of `HeadModel`; empty where they were not asked for."""


class Epoch(NamedTuple):
    """What is known after an epoch of a stack of M heads."""

    number: int
    """From 1."""
    losses: list[float]
    """Mean training loss of each head, M."""
    logits: Callable[[], np.ndarray]
    """Computes those of the validation videos, M x B x N."""


class Setting(NamedTuple):
    """Settings that all trials share."""

    schedule: Schedule
    """Batches, and what of the rate is no trial's own."""
    train: Train
    """Momentum, clipping and averaging."""
    loss: Loss
    metric: StackedMetric
    """Of the validation videos."""
    on_epoch_start: Callable[[int, int], bool]
    """Given a seed and an epoch, draws the seed's forms anew; whether there is anything to draw."""
    keep: bool
    """Whether the weights are wanted."""
    log: Log | None = None
    """Called after each epoch."""
    checkpoint: Checkpoint | None = None
    """Of a single stack: where its training goes on, and what is saved after each epoch."""


def fit_heads(
    heads: Mapping[int, HeadModel], trials: Sequence[Trial], training: Split, validation: Split, setting: Setting
) -> list[Fitted]:
    """Train a head for each trial; a trial that diverges ends no other.

    Args:
        heads: of one design, as each seed of the trials starts it; their weights are not changed.
        trials: each told apart from the others.
        training: what is learnt from; an epoch sees one view of every video, in turn.
        validation: what is scored at the end.
        setting: all else.

    Raises:
        PlainError: there are fewer videos than a batch holds.
    """
    ended: dict[Trial, Fitted] = {}
    for stacked in stacks(heads, trials):
        for fitted in _fit_stack(heads, stacked, training, validation, setting):
            ended[fitted.trial] = fitted
    return [ended[trial] for trial in trials]


def stacks(heads: Mapping[int, HeadModel], trials: Sequence[Trial]) -> Iterator[list[Trial]]:
    """The trials that train side by side: of equal epochs, and not too many; with dropout, of one seed."""
    head = next(iter(heads.values()))
    most = max(1, SIDE_BY_SIDE // max(1, sum(weight.numel() for weight in head.parameters())))

    def alike(trial: Trial) -> tuple[int, int]:
        return trial.epochs, trial.seed if draws_at_random(head) else 0

    for _, members in groupby(sorted(trials, key=alike), key=alike):
        group = list(members)
        yield from (group[start : start + most] for start in range(0, len(group), most))


def _fit_stack(
    heads: Mapping[int, HeadModel], trials: Sequence[Trial], training: Split, validation: Split, setting: Setting
) -> list[Fitted]:
    schedule, seeds = setting.schedule, sorted({trial.seed for trial in trials})
    device = training.views.device
    stack = HeadStack([heads[trial.seed] for trial in trials])
    optimizer = stacked_optimizer(stack.weights, [trial.weight_decay for trial in trials], setting.train)
    average, clip = averaged(stack.weights, setting.train), stacked_clip_of(setting.train)
    schedules = [schedule_of(trial, schedule) for trial in trials]
    place_M = [seeds.index(trial.seed) for trial in trials]
    diverged_M = torch.zeros(len(trials), dtype=torch.bool, device=device)
    state = StackState(stack.weights, optimizer, average, diverged_M)
    losses = setting.checkpoint.load(state) if setting.checkpoint else []
    for epoch in range(len(losses), trials[0].epochs):
        renewed = [setting.on_epoch_start(seed, epoch) for seed in seeds]
        if any(renewed):
            stack.load_buffers()
        views_BC = training.views[epoch % len(training.views)]
        orders = [_order(len(views_BC), schedule, seed, epoch) for seed in seeds]
        steps = len(orders[0])
        total_M = torch.zeros(len(trials), device=device)
        for step, batches in enumerate(zip(*orders, strict=True)):
            drawn_MB = np.stack(batches)[place_M]
            rows_MB = torch.from_numpy(drawn_MB).to(device)
            torch.manual_seed(seed_of(seeds[0], "step", epoch, step))  # of dropout, where all are of one seed
            optimizer.set_rates([learning_rate(epoch + step / steps, own) for own in schedules])
            logits_MBN = stack.logits(stack.weights, views_BC[rows_MB], training.sounds[rows_MB], training=True)
            losses_M: Tensor = vmap(setting.loss)(logits_MBN, training.targets_of(drawn_MB).to(device))
            diverged_M |= ~losses_M.detach().isfinite()
            total_M += losses_M.detach()
            descend(losses_M.sum(), stack.weights, optimizer, average=average, clip=clip)
        losses.append((total_M / steps).tolist())
        if setting.log:
            present = cast(nn.ParameterList, average.module) if average else stack.weights
            logits = partial(_logits, stack, present, validation, setting)
            setting.log(Epoch(epoch + 1, losses[-1], logits))
        if bool(diverged_M.all()):  # nothing to go on from: a rerun starts from the last epoch that was saved
            break
        if setting.checkpoint:
            setting.checkpoint.save(state, losses)
    weights = cast(nn.ParameterList, average.module) if average else stack.weights
    diverged_M |= ~torch.stack([weight.detach().flatten(1).isfinite().all(1) for weight in weights]).all(0)
    scores = _scores(stack, weights, validation, diverged_M.cpu().numpy(), setting)
    return [
        Fitted(trial, lost, score, curve, stack.weights_of(weights, place) if setting.keep else {})
        for place, (trial, (score, lost), curve) in enumerate(
            zip(trials, scores, zip(*losses, strict=True), strict=True)
        )
    ]


def _order(videos: int, schedule: Schedule, seed: int, epoch: int) -> np.ndarray:
    """The rows of a seed's batches of an epoch, steps x batch."""
    rows = shuffled_rows(videos, schedule.batch, seed=seed, purpose="train", epoch=epoch)
    if not len(rows):
        section = "train" if isinstance(schedule, Train) else "frozen"
        raise PlainError(
            f"{section}.batch is {schedule.batch}, but there are only {videos} training videos: lower it or add videos"
        )
    return rows


def schedule_of(trial: Trial, given: Schedule) -> Schedule:
    """The trial's schedule; milestones move with the epochs."""
    moved = sorted({round(milestone * trial.epochs / given.epochs) for milestone in given.milestones})
    own = {"learning_rate": trial.learning_rate, "epochs": trial.epochs}
    return given.model_copy(update=own | ({} if trial.epochs == given.epochs else {"milestones": tuple(moved)}))


@torch.no_grad()
def _logits(stack: HeadStack, weights: nn.ParameterList, validation: Split, setting: Setting) -> np.ndarray:
    """Of each head on the validation videos, M x B x N."""
    rows = torch.split(torch.arange(validation.videos), setting.schedule.batch)
    parts = [stack.logits(weights, validation.views[0][r], validation.sounds[r], training=False) for r in rows]
    return np.asarray(torch.cat(parts, 1).cpu().numpy())


@torch.no_grad()
def _scores(
    stack: HeadStack, weights: nn.ParameterList, validation: Split, diverged_M: np.ndarray, setting: Setting
) -> list[tuple[float, bool]]:
    """The metric of each head on the validation videos, and whether it diverged: before, or by a score of these.

    The metric is NaN for a head that diverged, and where there are no videos.
    """
    found_M = np.full(len(diverged_M), np.nan)
    if not validation.videos or diverged_M.all():
        return list(zip(found_M.tolist(), diverged_M.tolist(), strict=True))
    logits_MBN = torch.from_numpy(_logits(stack, weights, validation, setting))
    scores_MBN, targets_BN = logits_MBN.sigmoid().numpy(), validation.targets.toarray()
    finite_M = np.isfinite(scores_MBN).all((1, 2)) & ~diverged_M
    if finite_M.any():
        found_M[finite_M] = setting.metric(scores_MBN[finite_M], targets_BN)
    return list(zip(found_M.tolist(), (~finite_M).tolist(), strict=True))
