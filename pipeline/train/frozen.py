"""Frozen features: what a fixed 3D-CNN makes of the videos, computed once, and heads trained on that alone.

A head learns in seconds, so that many of them, from many seeds, can be compared. It is another experiment than the
paper's joint training, in which the gradient of every head reaches the 3D-CNN, and is labelled apart everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, optim

from pipeline.foundations.params import Execution, Frozen, Lexicon, Model, Train, Transformer
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.model.checkpoint import Description, load_model, save_model
from pipeline.model.determinism import reproducible
from pipeline.model.model import MultiActionModel
from pipeline.model.normalize import as_clips
from pipeline.train.assemble import Design, Knowledge, assemble
from pipeline.train.batches import in_order, load
from pipeline.train.data import Examples
from pipeline.train.distributed import Team, assembled
from pipeline.train.experiment import (
    Targets,
    Videos,
    make_learner,
    make_loss,
    open_data,
    renew_forms,
    run,
)
from pipeline.train.heads_only import fit_heads
from pipeline.train.loop import Metric
from pipeline.train.optimizer import make_sgd
from pipeline.train.split import read_split, split_of, write_splits
from pipeline.train.state import Record

BACKBONE, FEATURES = "backbone", "features.safetensors"
"""In a folder of frozen features: the fixed model, whose head does not count, and what it makes of the videos."""
NO_LEXICON = Lexicon(draw="fixed", forms=1, combine="concat")
NO_TRANSFORMER = Transformer(
    layers=1, hidden=1, attention_heads=1, slope=0.2, block="simplified", positions=False, fusion="sum"
)  # fmt: skip
"""What the fixed model says of itself where it has neither, so that its bytes are the same for all heads."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What frozen features are made from."""

    videos: Videos
    knowledge: Knowledge
    design: Design
    train: Train
    frozen: Frozen
    metrics: Mapping[str, Metric]
    """Of the validation videos."""
    seed: int
    execution: Execution


def freeze(target: Path, source: Source) -> int:
    """Write the folder `target`: a fixed backbone, and its features of training and validation videos.

    A call that was interrupted goes on where the backbone's training was. Returns how many training videos there are.

    Raises:
        PlainError: as `pipeline.train.experiment.run`, or there are several processes.
    """
    head: Literal["visual", "fc"] = "visual" if source.frozen.backbone == "visual" else "fc"
    plain = Model(heads=(head,), relation="gcn", control="none", late_fusion=False)
    design = replace(source.design, model=plain, lexicon=NO_LEXICON, transformer=NO_TRANSFORMER)
    with files.atomic_write(target) as draft:
        draft.mkdir()
        _write_backbone(draft, source, design)
        with assembled(source.execution.device) as team, reproducible(source.train.threads):
            if team.size > 1:
                raise PlainError(
                    f"features are computed in one process, but torchrun started {team.size}; leave it out"
                )
            model, about = load_model(draft / BACKBONE)
            data = open_data(
                source.videos,
                actions=len(about.actions),
                frames=about.frames,
                train=source.train,
                seed=source.seed,
                hears=True,
            )
            seen = partial(look, model.to(team.device), about=about, source=source, team=team)
            views = [seen(data.training, view=view) for view in range(source.frozen.views)]
            training, validation = split_of(data.training, views), split_of(data.validation, [seen(data.validation)])
            write_splits(draft / FEATURES, {"train": training, "val": validation})
    return len(data.training)


def _write_backbone(folder: Path, source: Source, design: Design) -> None:
    """The model whose backbone is frozen: as training starts, or trained jointly first."""
    if source.frozen.backbone == "start":
        network, _, description = assemble(source.knowledge, design, seed=source.seed)
        save_model(folder / BACKBONE, network, description)
        return
    run(
        source.videos,
        source.knowledge,
        Targets(model=folder / BACKBONE, curves=folder / "curves"),
        design=design,
        train=source.train,
        metrics=source.metrics,
        seed=source.seed,
        execution=source.execution,
    )


@torch.no_grad()
def look(
    model: MultiActionModel, examples: Examples, *, about: Description, source: Source, team: Team, view: int = 0
) -> Tensor:
    """The features of every video of a split, in its view of that number; B x C, float32."""
    batches = [[pick._replace(epoch=view) for pick in batch] for batch in in_order(len(examples), source.train.batch)]
    made = [
        model.features(as_clips(batch.pictures.to(team.device), about.frames)).float().cpu()
        for batch in load(examples, batches, workers=source.execution.workers, device=team.device)
    ]
    return torch.cat(made) if made else torch.empty(0, model.backbone.features)


def train_heads(folder: Path, source: Source, *, seed: int) -> tuple[MultiActionModel, Description, list[Record]]:
    """Train a design's heads on the features in `folder`; the whole model on the CPU, what it is, and its curves.

    Args:
        folder: written by `freeze`.
        source: the design whose heads, and their epochs, batches and rates.
        seed: of the heads' weights, their forms and the order of the videos.

    Raises:
        PlainError: the loss is not finite, or inputs do not fit one another.
    """
    with assembled(source.execution.device) as team, reproducible(source.train.threads):
        training, validation = (read_split(folder / FEATURES, name).to(team.device) for name in ("train", "val"))
        model, forms, description = assemble(source.knowledge, source.design, seed=seed)
        fixed, about = load_model(folder / BACKBONE)
        model.backbone.load_state_dict(fixed.backbone.state_dict())
        model.backbone.requires_grad_(requires_grad=False)
        learner = make_learner(model, source.train, team, _optimizer(model, source))
        history = fit_heads(
            learner,
            training,
            validation,
            train=source.train,
            frozen=source.frozen,
            seed=seed,
            loss=make_loss(source.train, training.targets.sum(0).cpu().numpy(), team),
            metrics=source.metrics,
            renew=partial(renew_forms, learner, forms),
        )
    result = learner.result.cpu().eval()
    result.batch_norm = about.batch_norm
    return result, replace(description, batch_norm=about.batch_norm), list(history)


def _optimizer(model: MultiActionModel, source: Source) -> optim.SGD:
    """SGD over what is trained, at the rate and decay of frozen features."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    group = {"params": trained, "factor": 1.0, "weight_decay": source.frozen.weight_decay}
    return make_sgd([group], source.frozen.learning_rate, source.train)
