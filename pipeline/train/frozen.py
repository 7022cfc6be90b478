"""Frozen features: what a fixed 3D-CNN makes of the videos, computed once, and heads trained on that alone.

A head learns in seconds, so that many of them, from many seeds and at many rates, can be compared. It is another
experiment than the paper's joint training, in which the gradient of every head reaches the 3D-CNN, and is labelled
apart everywhere.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from pipeline.foundations.params import Execution, Frames, Frozen, Lexicon, Model, Train, Transformer
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.model.checkpoint import load_model, save_model
from pipeline.model.design import Design
from pipeline.model.determinism import reproducible
from pipeline.model.model import HeadModel, MultiActionModel
from pipeline.model.normalize import as_clips
from pipeline.train.assemble import Forms, assemble
from pipeline.train.batches import in_order, load
from pipeline.train.data import Examples
from pipeline.train.distributed import init_distributed
from pipeline.train.experiment import make_loss, open_data, run
from pipeline.train.heads import Fitted, Setting, StackedMetric, Trial, fit_heads
from pipeline.train.inputs import Inputs
from pipeline.train.loop import Metric
from pipeline.train.split import read_split, split_of, write_splits

BACKBONE, FEATURES = "backbone", "features.safetensors"
"""In a folder of frozen features: the fixed model, whose head does not count, and what it makes of the videos."""
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
            run(
                inputs,
                model_folder=draft / BACKBONE,
                curves_folder=draft / "curves",
                design=fixed,
                train=_as_backbone_trains(train, frozen),
                metrics=metrics,
                seed=seed,
                execution=execution,
            )
        return write_features(draft, inputs, train=train, views=frozen.views, seed=seed, execution=execution)


def write_features(folder: Path, inputs: Inputs, *, train: Train, views: int, seed: int, execution: Execution) -> int:
    """Write what the fixed model in a folder makes of training and validation videos; returns how many train.

    Raises:
        PlainError: there are several processes, or there is no model.
    """
    with init_distributed(execution.device) as context, reproducible(train.threads):
        if context.size > 1:
            raise PlainError(f"features are computed in one process, but torchrun started {context.size}")
        model, about = load_model(folder / BACKBONE)
        actions, frames = len(about.actions), about.design.frames
        data = open_data(inputs, actions=actions, frames=frames, train=train, seed=seed, with_sounds=True)
        model.to(context.device)
        features = partial(extract_features, model, frames=frames, batch=train.batch, workers=execution.workers)
        training = split_of(data.training, [features(data.training, view=view) for view in range(views)])
        validation = split_of(data.validation, [features(data.validation)])
        write_splits(folder / FEATURES, {"train": training, "val": validation})
    return len(data.training)


def _with_a_head_that_does_not_count(design: Design, frozen: Frozen) -> Design:
    """A design of the same backbone, whose other parts are constants, so that its bytes are the same for all heads."""
    head: Literal["visual", "fc"] = "visual" if frozen.backbone == "visual" else "fc"
    model = Model(heads=(head,), relation="gcn", control="none", late_fusion=False)
    return replace(design, model=model, lexicon=NO_LEXICON, transformer=NO_TRANSFORMER)


def _as_backbone_trains(train: Train, frozen: Frozen) -> Train:
    """How the backbone is trained: as a model is, but for its head, which does not count afterwards."""
    own = {"head_rate": frozen.head_rate, "head_weight_decay": train.weight_decay / frozen.head_rate}
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
        model.features(as_clips(loaded.pictures.to(device), frames)).float().cpu()
        for loaded in load(examples, batches, workers=workers, device=device)
    ]
    return torch.cat(made) if made else torch.empty(0, model.backbone.features)


class HeadTrainer:
    """Trains heads of one design on the features in a folder that `freeze` wrote."""

    def __init__(
        self,
        folder: Path,
        inputs: Inputs,
        design: Design,
        *,
        frozen: Frozen,
        train: Train,
        metric: StackedMetric,
        execution: Execution,
    ) -> None:
        """Open nothing yet.

        Args:
            folder: of the features.
            inputs: of the model; its backbone is the folder's.
            design: whose heads.
            frozen: epochs, batches, rates.
            train: momentum, loss, clipping, averaging and threads.
            metric: of the validation videos.
            execution: on which device.
        """
        self._folder, self._inputs, self._design = folder, replace(inputs, backbone=None), design
        self._frozen, self._train, self._metric, self._execution = frozen, train, metric, execution
        self._started: dict[int, tuple[MultiActionModel, Forms]] = {}

    def fit(self, trials: Sequence[Trial], *, keep: bool) -> list[Fitted]:
        """Train a head for each trial, side by side; with its weights where they are to be kept.

        Raises:
            PlainError: as `pipeline.train.heads.fit_heads`, or inputs do not fit one another.
        """
        with init_distributed(self._execution.device) as context, reproducible(self._train.threads):
            training, validation = (
                read_split(self._folder / FEATURES, name).to(context.device) for name in ("train", "val")
            )
            heads = {trial.seed: HeadModel(self._start(trial.seed)[0]).to(context.device) for trial in trials}
            setting = Setting(
                frozen=self._frozen,
                train=self._train,
                loss=make_loss(self._train, training.targets.sum(0).cpu().numpy(), context),
                metric=self._metric,
                on_epoch_start=self._draw_forms,
                keep=keep,
            )
            return fit_heads(heads, trials, training, validation, setting)

    def model(self, fitted: Fitted) -> MultiActionModel:
        """The whole model with a trained head, on the CPU, in evaluation mode."""
        start, _ = self._start(fitted.trial.seed)
        self._draw_forms(fitted.trial.seed, fitted.trial.epochs - 1)
        model = MultiActionModel(start.backbone, start.pooling, deepcopy(start.head), deepcopy(start.sound)).cpu()
        model.load_state_dict(fitted.weights, strict=False)
        return model.eval()

    def _start(self, seed: int) -> tuple[MultiActionModel, Forms]:
        """A seed's model before training, and its forms; the fixed backbone is one for all."""
        if seed not in self._started:
            model, forms, _ = assemble(self._inputs, self._design, seed=seed)
            if not self._started:
                fixed, about = load_model(self._folder / BACKBONE)
                model.backbone, model.batch_norm = fixed.backbone, about.batch_norm
            else:
                model.backbone = next(iter(self._started.values()))[0].backbone
            self._started[seed] = model, forms
        return self._started[seed]

    def _draw_forms(self, seed: int, epoch: int) -> bool:
        """Give a seed's head the lexicon forms of an epoch, where they are drawn anew; whether they are."""
        model, forms = self._started[seed]
        if forms.vary:
            model.set_forms(audio=forms.audio(epoch), text=forms.text)
        return forms.vary
