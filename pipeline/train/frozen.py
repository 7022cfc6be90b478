"""Frozen features: extracted once by a fixed 3D-CNN, and heads trained on them alone.

A head learns in seconds, so that many of them, from many seeds and at many rates, can be compared. It is another
experiment than the paper's joint training, in which the gradient of every head reaches the 3D-CNN, and is labelled
apart everywhere.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from pipeline.foundations.params import Execution, Frames, Frozen, Lexicon, Model, Schedule, Train, Transformer
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.model.checkpoint import Description, load_model, save_model
from pipeline.model.design import Design
from pipeline.model.model import HeadModel, MultiActionModel
from pipeline.model.normalize import as_clips
from pipeline.model.place import place
from pipeline.train.assemble import Forms, assemble
from pipeline.train.batches import in_order, load
from pipeline.train.data import Examples
from pipeline.train.distributed import init_distributed
from pipeline.train.experiment import Experiment, kernels, make_loss, open_data, run
from pipeline.train.heads import Fitted, Log, Setting, StackedMetric, Trial, fit_heads
from pipeline.train.inputs import Inputs
from pipeline.train.loop import Metric
from pipeline.train.split import Split, imported_split, read_split, split_of, write_split
from pipeline.train.stack_state import Checkpoint

BACKBONE = "backbone"
"""In a folder of frozen features, beside the splits: the fixed model, whose head does not count; absent where the
features are imported."""
SPLITS = ("train", "val")
NO_LEXICON = Lexicon(draw="fixed", forms=1, combine="concat")
NO_TRANSFORMER = Transformer(
    layers=1, hidden=1, attention_heads=1, slope=0.2, block="simplified", positions=False, fusion="sum"
)  # fmt: skip
"""What the fixed model says of itself where it has neither."""


def freeze(
    target: Path,
    inputs: Inputs,
    *,
    design: Design,
    train: Train,
    frozen: Frozen,
    metrics: Mapping[str, Metric],
    seed: int,
    execution: Execution,
) -> int:
    """Write the folder `target`: a fixed backbone, and its features of training and validation videos.

    A call that was interrupted goes on where the backbone's training was. Returns how many training videos there are.

    Args:
        target: replaced where it exists.
        inputs: of training.
        design: whose backbone; its head does not count.
        train: how the backbone is trained, where it is, and what views of the training videos are.
        frozen: how the backbone comes to be, and how many views are computed.
        metrics: of the validation videos while the backbone is trained.
        seed: of all random choices.
        execution: how.

    Raises:
        PlainError: as `pipeline.train.experiment.run`, or there are several processes.
    """
    fixed = _with_a_head_that_does_not_count(design, frozen)
    with files.atomic_write(target) as draft:
        draft.mkdir()
        if frozen.backbone == "start":
            network, _, description = assemble(inputs, fixed, seed=seed)
            save_model(draft / BACKBONE, network, description)
        else:
            experiment = Experiment(
                inputs=inputs,
                design=fixed,
                train=_as_backbone_trains(train, frozen),
                metrics=metrics,
                seed=seed,
                execution=execution,
            )
            run(experiment, model_folder=draft / BACKBONE, curves_folder=draft / "curves")
        return write_features(draft, inputs, train=train, views=frozen.views, seed=seed, execution=execution)


def write_features(folder: Path, inputs: Inputs, *, train: Train, views: int, seed: int, execution: Execution) -> int:
    """Write the fixed model's features of training and validation videos; returns the number of training videos.

    Raises:
        PlainError: there are several processes, or there is no model.
    """
    with init_distributed(execution.device) as context, kernels(train, execution, context):
        if context.size > 1:
            raise PlainError(f"features are computed in one process, but torchrun started {context.size}")
        model, about = load_model(folder / BACKBONE)
        actions, frames = len(about.actions), about.design.frames
        data = open_data(inputs, actions=actions, frames=frames, train=train, seed=seed, with_sounds=True)
        place(model, context.device, mixed_precision=train.mixed_precision)
        features = partial(extract_features, model, frames=frames, batch=train.batch, workers=execution.workers)
        training = split_of(data.training, [features(data.training, view=view) for view in range(views)])
        validation = split_of(data.validation, [features(data.validation)])
        write_split(folder / "train", training)
        write_split(folder / "val", validation)
    return len(data.training)


def _with_a_head_that_does_not_count(design: Design, frozen: Frozen) -> Design:
    """A design of the same backbone, whose other parts are constants, so that its bytes are the same for all heads."""
    head: Literal["visual", "fc"] = "visual" if frozen.backbone == "visual" else "fc"
    model = Model(heads=(head,), relation="gcn", control="none", late_fusion=False)
    return replace(design, model=model, lexicon=NO_LEXICON, transformer=NO_TRANSFORMER)


def _as_backbone_trains(train: Train, frozen: Frozen) -> Train:
    """How the backbone is trained: as a model is, but for its head, which does not count afterwards."""
    own = {
        "freeze_backbone": False,
        "head_rate": frozen.head_rate,
        "head_weight_decay": train.weight_decay / frozen.head_rate,
    }
    return train.model_copy(update=own)


@torch.no_grad()
def extract_features(
    model: MultiActionModel,
    examples: Examples,
    *,
    frames: Frames,
    batch: int,
    workers: int,
    view: int = 0,
) -> Tensor:
    """The features of every video of a split, in its view of that number; B x C, float32."""
    device = next(model.parameters()).device
    batches = [[pick._replace(epoch=view) for pick in picks] for picks in in_order(len(examples), batch)]
    made = [
        model.features(as_clips(loaded.pictures.to(device, non_blocking=True), frames)).cpu()
        for loaded in load(examples, batches, workers=workers, device=device)
    ]
    return torch.cat(made) if made else torch.empty(0, model.backbone.features)


def freeze_imported(target: Path, inputs: Inputs) -> int:
    """Write the folder `target` from imported features; returns how many training videos there are.

    Raises:
        PlainError: there are none, or they are of other videos.
    """
    with files.atomic_write(target) as draft:
        draft.mkdir()
        splits = imported_splits(inputs, with_sounds=True)
        for name, split in splits.items():
            write_split(draft / name, split)
    return splits["train"].videos


def frozen_splits(folder: Path) -> dict[str, Split]:
    """The splits in a folder that `freeze` or `freeze_imported` wrote, by name.

    Raises:
        PlainError: a file is absent or damaged.
    """
    return {name: read_split(folder / name) for name in SPLITS}


def imported_splits(inputs: Inputs, *, with_sounds: bool) -> dict[str, Split]:
    """The splits of imported features that training sees, by name.

    Raises:
        PlainError: there are none, or they are of other videos.
    """
    actions = tables.read("actions", inputs.actions).num_rows
    whitened = inputs.whitened if with_sounds else None
    paths = {"train": inputs.train, "val": inputs.val}
    return {
        name: imported_split(inputs.clips, name, path, actions=actions, whitened=whitened)
        for name, path in paths.items()
    }


class HeadTrainer:
    """Trains heads of one design on fixed features: those in a folder that `freeze` wrote, or imported ones."""

    def __init__(
        self,
        splits: Callable[[], Mapping[str, Split]],
        inputs: Inputs,
        design: Design,
        *,
        backbone: Path | None,
        schedule: Schedule,
        train: Train,
        metric: StackedMetric,
        execution: Execution,
        log: Log | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            splits: opens the features, `train` and `val`.
            inputs: of the model.
            design: whose heads.
            backbone: folder of the fixed model; None where features are imported.
            schedule: epochs, batches, rates.
            train: momentum, loss, clipping, averaging and threads.
            metric: of the validation videos.
            execution: on which device.
            log: called after each epoch; None: nobody looks.
            checkpoint: of a single trial, which goes on from there; None: it begins anew.
        """
        self._splits, self._inputs, self._design = splits, replace(inputs, backbone=None), design
        self._backbone, self._log, self._checkpoint = backbone, log, checkpoint
        self._schedule, self._train, self._metric, self._execution = schedule, train, metric, execution
        self._started: dict[int, tuple[MultiActionModel, Forms, Description]] = {}

    def fit(self, trials: Sequence[Trial], *, keep: bool) -> list[Fitted]:
        """Train a head for each trial, side by side; with its weights where they are to be kept.

        Raises:
            PlainError: as `pipeline.train.heads.fit_heads`, or inputs do not fit one another.
        """
        with init_distributed(self._execution.device) as context, kernels(self._train, self._execution, context):
            splits = self._splits()
            training, validation = (splits[name].to(context.device) for name in SPLITS)
            heads = {trial.seed: HeadModel(self._start(trial.seed)[0]).to(context.device) for trial in trials}
            setting = Setting(
                schedule=self._schedule,
                train=self._train,
                loss=make_loss(self._train, training.targets.sum(0), context),
                metric=self._metric,
                on_epoch_start=self._draw_forms,
                keep=keep,
                log=self._log,
                checkpoint=self._checkpoint,
            )
            return fit_heads(heads, trials, training, validation, setting)

    def model(self, fitted: Fitted) -> MultiActionModel:
        """The whole model with a trained head, on the CPU, in evaluation mode."""
        start, *_ = self._start(fitted.trial.seed)
        self._draw_forms(fitted.trial.seed, fitted.trial.epochs - 1)
        model = MultiActionModel(start.backbone, start.pooling, deepcopy(start.head), deepcopy(start.sound)).cpu()
        model.load_state_dict(fitted.weights, strict=False)
        return model.eval()

    def description(self, seed: int) -> Description:
        """What a seed's model is."""
        return self._start(seed)[2]

    def _start(self, seed: int) -> tuple[MultiActionModel, Forms, Description]:
        """A seed's model before training, its forms and what it is; the fixed backbone is one for all."""
        if seed not in self._started:
            model, forms, description = assemble(self._inputs, self._design, seed=seed)
            if self._backbone is None:
                pass  # imported features have no weights
            elif not self._started:
                fixed, about = load_model(self._backbone)
                model.backbone, model.batch_norm = fixed.backbone, about.batch_norm
            else:
                model.backbone = next(iter(self._started.values()))[0].backbone
            self._started[seed] = model, forms, description
        return self._started[seed]

    def _draw_forms(self, seed: int, epoch: int) -> bool:
        """Give a seed's head the lexicon forms of an epoch, where they are drawn anew; whether they are."""
        model, forms, _ = self._started[seed]
        if forms.vary:
            model.set_forms(audio=forms.audio(epoch), text=forms.text)
        return forms.vary
