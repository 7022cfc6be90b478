"""Checkpoint within a training run, in one file: a run that was stopped resumes and ends with the same bits.

Weights, optimizer and averaged weights are tensors; how far the run has come is a line of JSON in the same file's
header. No random state is kept: every draw is named by the seed, the epoch and the step. No pickle.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, optim
from torch.optim.swa_utils import AveragedModel

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import atomic_write
from pipeline.foundations.tables import finite
from pipeline.model.model import MultiActionModel

Record = dict[str, float]
"""The values of one epoch's curves, by name."""
P = TypeVar("P")


@dataclass(frozen=True, kw_only=True)
class Learner:
    """Model, optimizer and averaged weights."""

    model: MultiActionModel
    optimizer: optim.SGD
    average: AveragedModel | None
    """Exponentially averaged weights, where asked for."""

    @property
    def result(self) -> MultiActionModel:
        """What is tested and kept: the averaged model where there is one."""
        return cast(MultiActionModel, self.average.module) if self.average else self.model


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Progress of a run."""

    epoch: int = 0
    """The epoch that is under way, from 0."""
    step: int = 0
    """Its steps that are done."""
    loss: float = 0.0
    """Their losses, added up."""
    history: tuple[Record, ...] = ()
    """One record a finished epoch."""

    def after_step(self, loss: float) -> Self:
        """The progress after one more step."""
        return replace(self, step=self.step + 1, loss=self.loss + loss)

    def after_epoch(self, record: Record) -> Self:
        """The progress at the beginning of the next epoch."""
        return replace(self, epoch=self.epoch + 1, step=0, loss=0.0, history=(*self.history, record))


def save_state(path: Path, learner: Learner, progress: Progress) -> None:
    """Write a checkpoint, atomically."""
    write_state(path, _tensors(learner), vars(progress))


def load_state(path: Path, learner: Learner) -> Progress:
    """Bring a learner to where its run stood; a fresh run's progress where there is no file.

    Raises:
        PlainError: the file is damaged, of another model, or has values that are not finite.
    """
    if not path.exists():
        return Progress()
    saved, progress = read_state(path, lambda content: Progress(**content | {"history": tuple(content["history"])}))
    _make_momentum(learner, saved)
    restore(path, _tensors(learner), saved)
    return progress


def write_state(path: Path, tensors: Mapping[str, Tensor], progress: Mapping[str, Any]) -> None:
    """Write tensors, and how far training has come in JSON's types, as one file, atomically."""
    copies = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_write(path) as draft:
        draft.write_bytes(save(copies, metadata={"progress": json.dumps(progress)}))


def read_state(path: Path, progress_of: Callable[[dict[str, Any]], P]) -> tuple[dict[str, Tensor], P]:
    """The tensors of a file that `write_state` wrote, and what `progress_of` makes of the rest.

    Raises:
        PlainError: the file is damaged, or has values that are not finite.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dictionary
            progress = progress_of(json.loads(file.metadata()["progress"]))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise PlainError(f"{path}: cannot be read as a training state: {error}; remove it to start anew") from error
    finite.check(path, tensors)
    return tensors, progress


def restore(path: Path, present: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    """Copy what `read_state` read at `path` into the tensors of the same names.

    Raises:
        PlainError: names or shapes differ.
    """
    shapes = [{name: tensor.shape for name, tensor in tensors.items()} for tensors in (present, saved)]
    if shapes[0] != shapes[1]:
        raise PlainError(f"{path}: is the state of another model; remove it to start anew")
    with torch.no_grad():
        for name, tensor in present.items():
            tensor.copy_(saved[name])


def _tensors(learner: Learner) -> dict[str, Tensor]:
    """Every tensor of a learner, by name; the tensors themselves, not copies."""
    tensors = {f"model.{name}": tensor for name, tensor in learner.model.state_dict().items()}
    for name, parameter in learner.model.named_parameters():
        momentum = learner.optimizer.state[parameter].get("momentum_buffer")
        if momentum is not None:
            tensors[f"momentum.{name}"] = momentum
    if learner.average:
        tensors |= {f"average.{name}": tensor for name, tensor in learner.average.state_dict().items()}
    return tensors


def _make_momentum(learner: Learner, saved: dict[str, Tensor]) -> None:
    """Give a fresh optimizer the momentum buffers that `saved` has values for, laid out as the parameters are."""
    for name, parameter in learner.model.named_parameters():
        if f"momentum.{name}" in saved:
            learner.optimizer.state[parameter]["momentum_buffer"] = torch.empty_like(parameter)
