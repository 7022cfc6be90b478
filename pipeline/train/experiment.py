"""One training run, from the tables of earlier stages to a model folder and its learning curves."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.clips.packs import TABLE, Packs
from pipeline.foundations.params import Execution, Frames, Train
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.devices import FASTEST, choose_device, is_deterministic
from pipeline.foundations.runtime.progress import say
from pipeline.foundations.runtime.shards import input_key, locked_work_dir
from pipeline.model.checkpoint import save_model
from pipeline.model.design import Design
from pipeline.model.determinism import reproducible
from pipeline.model.loss import LOSSES, balance, wlsep
from pipeline.model.model import MultiActionModel
from pipeline.model.place import place
from pipeline.train.assemble import Forms, assemble
from pipeline.train.curves import Curves
from pipeline.train.data import open_examples
from pipeline.train.distributed import DistributedContext, init_distributed
from pipeline.train.inputs import Inputs
from pipeline.train.loop import Data, Metric, Run, fit
from pipeline.train.objective import Loss
from pipeline.train.optimizer import make_optimizer
from pipeline.train.state import Learner, Record
from pipeline.train.step import averaged
from pipeline.train.views import center_view, random_view


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What a training run does, wherever it writes the result."""

    inputs: Inputs
    design: Design
    train: Train
    metrics: Mapping[str, Metric]
    """Of the validation videos after an epoch, by name."""
    seed: int
    execution: Execution

    def work_key(self, *more: object) -> str:
        """Names the work folder of a run by all that its bits depend on: a run goes on from no other.

        The kind of device is of that, and whether its kernels are deterministic, as in `Devices.compute`.
        """
        kind = choose_device(self.execution.device).type
        compute = kind, is_deterministic(self.execution, kind)
        return input_key(vars(self.design), self.train, self.seed, digests(self.inputs), compute, *more)

    def board(self, key: str) -> Path | None:
        """The folder of TensorBoard's curves, where they are asked for."""
        return Path(self.execution.tensorboard) / key if self.execution.tensorboard else None


class Outcome(NamedTuple):
    """Result of a training run."""

    parameters: int
    videos: int
    record: Record
    """Of the last epoch."""


def run(experiment: Experiment, *, model_folder: Path, curves_folder: Path) -> Outcome:
    """Train a model and write it with its curves; an interrupted run of the same inputs goes on where it was.

    Raises:
        PlainError: as `pipeline.train.loop.fit`, or inputs do not fit one another.
    """
    inputs, design, train = experiment.inputs, experiment.design, experiment.train
    seed, execution, key = experiment.seed, experiment.execution, experiment.work_key()
    with (
        init_distributed(execution.device) as context,
        kernels(train, execution, context),
        _held(key, context) as folder,
    ):
        model, forms, description = assemble(inputs, design, seed=seed)
        learner = make_learner(model, train, context)
        with_sounds, actions = design.model.late_fusion, len(description.actions)
        data = open_data(inputs, actions=actions, frames=design.frames, train=train, seed=seed, with_sounds=with_sounds)
        setting = Run(
            train=train,
            frames=design.frames,
            seed=seed,
            loss=make_loss(train, data.training.counts(), context),
            metrics=experiment.metrics,
            context=context,
            workers=execution.workers,
            folder=folder,
            checkpoint_minutes=execution.checkpoint_minutes,
        )
        with Curves(folder / "curves", board=experiment.board(key)) if context.is_main else nullcontext() as curves:
            log = curves.log if curves else _ignore
            progress = fit(learner, data, setting, on_epoch_start=partial(renew_forms, learner, forms), log=log)
        if context.is_main:
            save_model(model_folder, learner.result, description)
            keep_curves(folder, curves_folder)
    return Outcome(parameters_of(model), len(data.training), progress.history[-1])


def keep_curves(work: Path, target: Path) -> None:
    """Copy the learning curves of a run's work folder to where they are kept."""
    with files.atomic_write(target) as draft:
        shutil.copytree(work / "curves", draft)


def parameters_of(model: nn.Module) -> int:
    """How many numbers it learns."""
    return sum(parameter.numel() for parameter in model.parameters())


def make_learner(model: MultiActionModel, train: Train, context: DistributedContext) -> Learner:
    """The model on its device with its optimizer."""
    model.backbone.requires_grad_(not train.freeze_backbone)
    prepare_batch_norm(model, train, context)
    place(model, context.device, mixed_precision=train.mixed_precision)
    model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # on a CPU, too
    optimizer = make_optimizer(model, train, fused=context.late)
    return Learner(model=model, optimizer=optimizer, average=averaged(model, train))


def kernels(train: Train, execution: Execution, context: DistributedContext) -> AbstractContextManager[None]:
    """Hold PyTorch to the threads and the kernels that the parameters name; the log says where rounding may differ."""
    deterministic = is_deterministic(execution, context.device.type)
    if context.is_main and not deterministic:
        say(FASTEST)
    return reproducible(train.threads, deterministic=deterministic)


def prepare_batch_norm(model: nn.Module, train: Train, context: DistributedContext) -> None:
    """Synchronize batch norm where several GPUs share a batch, or keep statistics for each GPU.

    Processes without a GPU keep their own: PyTorch shares statistics between GPUs alone.
    """
    if train.sync_batch_norm and context.size > 1 and context.device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]


def open_data(inputs: Inputs, *, actions: int, frames: Frames, train: Train, seed: int, with_sounds: bool) -> Data:
    """The training examples, with their sounds for late fusion; nothing is decoded yet."""
    whitened = inputs.whitened if with_sounds else None
    opened = partial(open_examples, packs=Packs(inputs.clips), actions=actions, train=train, whitened=whitened)
    random = partial(random_view, seed=seed, frames=frames, train=train)
    return Data(
        training=opened(inputs.train, choose=partial(random, purpose="train")),
        measuring=opened(inputs.train, choose=partial(random, purpose="precise_bn")),
        validation=opened(inputs.val, choose=partial(center_view, frames=frames, train=train)),
    )


def make_loss(train: Train, counts_N: np.ndarray, context: DistributedContext) -> Loss:
    """The loss function that the parameters name; `counts_N` says how many training videos have each action.

    Its mean over all processes is the loss of the whole batch: `wlsep` by all positives, the others by equal shares.
    """
    if train.loss in LOSSES:
        return LOSSES[train.loss]
    weights_N = balance(torch.from_numpy(counts_N)).to(context.device)

    def loss(logits_BN: Tensor, targets_BN: Tensor) -> Tensor:
        positives = context.mean(targets_BN.sum().float().to(context.device))
        return wlsep(logits_BN, targets_BN, weights_N.to(logits_BN.device), positives.to(logits_BN))

    return loss


def renew_forms(learner: Learner, forms: Forms, epoch: int) -> None:
    """Set the model's lexicon forms of an epoch, where they are drawn anew."""
    if forms.vary:
        drawn = forms.audio(epoch)
        for model in (learner.model, learner.result):
            model.set_forms(audio=drawn, text=forms.text)


def digests(inputs: Inputs) -> list[tuple[str, str]]:
    """The inputs' bytes, by digest; the packs' are known by the offsets in their table."""
    paths = [inputs.clips / TABLE if path == inputs.clips else path for path in vars(inputs).values()]
    return [(path.name, files.sha256(path)) for path in paths if path is not None and path.exists()]


@contextmanager
def _held(key: str, context: DistributedContext) -> Iterator[Path]:
    """The folder of a run, locked by its main process; every process must see it."""
    with (
        locked_work_dir("train", key)
        if context.is_main
        else nullcontext(files.cache_folder() / "train" / key) as folder
    ):
        context.wait()
        yield folder
        context.wait()


def _ignore(record: Record) -> None:
    """Log function of processes other than the main one."""
