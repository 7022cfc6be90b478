"""Checkpoint of heads in training, after an epoch, in one file: training that was stopped resumes with the same bits.

Weights, the optimizer's state and averaged weights are tensors; the losses so far and the records of the curves are a
line of JSON in the header of the same file. No random state is kept: the seed, the epoch and the step name every draw.
"""

import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import atomic_write
from pipeline.foundations.runtime.progress import say
from pipeline.train.stack import StackedOptimizer
from pipeline.train.state import Record


class StackState(NamedTuple):
    """All that training a stack of M heads changes; the tensors themselves, not copies."""

    weights: nn.ParameterList
    optimizer: StackedOptimizer
    average: AveragedModel | None
    """Exponentially averaged weights, where asked for."""
    diverged: Tensor
    """M, bool."""


class Checkpoint:
    """The file, and what its header says.

    Attributes:
        losses: mean training losses of each finished epoch, M each.
        records: of the curves, of each finished epoch.
    """

    def __init__(self, path: Path) -> None:
        """Read the header, where there is a file.

        Raises:
            PlainError: the file is damaged.
        """
        self._path = path
        self.losses: list[list[float]] = []
        self.records: list[Record] = []
        self._saved: dict[str, Tensor] = {}
        if not path.exists():
            return
        try:
            with safe_open(path, framework="pt") as file:
                self._saved = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dictionary
                content = json.loads(file.metadata()["progress"])
            self.losses, self.records = content["losses"], content["records"]
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise PlainError(f"{path}: cannot be read as a training state: {error}; remove it to start anew") from error
        say(f"train: going on from epoch {len(self.losses) + 1}")

    def load(self, state: StackState) -> list[list[float]]:
        """Bring a fresh stack to where its training stood; returns the losses of the finished epochs.

        Raises:
            PlainError: the file is of other heads.
        """
        if not self.losses:
            return []
        slots: dict[int, dict[str, Tensor]] = {}
        for name in [name for name in self._saved if name.startswith("optimizer.")]:
            _, number, slot = name.split(".")
            slots.setdefault(int(number), {})[slot] = self._saved[name]
        state.optimizer.load_state_dict({**state.optimizer.state_dict(), "state": slots})
        present = _tensors(state)
        if {name: tensor.shape for name, tensor in present.items()} != {
            name: tensor.shape for name, tensor in self._saved.items()
        }:
            raise PlainError(f"{self._path}: is the state of another model; remove it to start anew")
        with torch.no_grad():
            for name, tensor in present.items():
                tensor.copy_(self._saved[name])
        return [*self.losses]

    def save(self, state: StackState, losses: list[list[float]]) -> None:
        """Write the file, atomically."""
        progress = json.dumps({"losses": losses, "records": self.records})
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(state).items()}
        with atomic_write(self._path) as draft:
            draft.write_bytes(save(tensors, metadata={"progress": progress}))


def _tensors(state: StackState) -> dict[str, Tensor]:
    """Every tensor of a stack in training, by name."""
    tensors = {f"weights.{name}": tensor for name, tensor in state.weights.state_dict().items()}
    for number, slots in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{slot}": tensor for slot, tensor in slots.items()}
    if state.average:
        tensors |= {f"average.{name}": tensor for name, tensor in state.average.state_dict().items()}
    return tensors | {"diverged": state.diverged}
