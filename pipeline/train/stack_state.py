"""Checkpoint of heads in training, after an epoch, in one file: training that was stopped resumes with the same bits.

Weights, the optimizer's state and averaged weights are tensors; the losses so far and the records of the curves are a
line of JSON in the header of the same file. No random state is kept: the seed, the epoch and the step name every draw.
"""

from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from pipeline.foundations.runtime.progress import say
from pipeline.train.stack import StackedOptimizer
from pipeline.train.state import Record, read_state, restore, write_state


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
            PlainError: the file is damaged, or has values that are not finite.
        """
        self._path = path
        self.losses: list[list[float]] = []
        self.records: list[Record] = []
        self._saved: dict[str, Tensor] = {}
        if not path.exists():
            return
        self._saved, (self.losses, self.records) = read_state(path, itemgetter("losses", "records"))
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
        restore(self._path, _tensors(state), self._saved)
        return [*self.losses]

    def save(self, state: StackState, losses: list[list[float]]) -> None:
        """Write the file, atomically."""
        write_state(self._path, _tensors(state), {"losses": losses, "records": self.records})


def _tensors(state: StackState) -> dict[str, Tensor]:
    """Every tensor of a stack in training, by name."""
    tensors = {f"weights.{name}": tensor for name, tensor in state.weights.state_dict().items()}
    for number, slots in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{slot}": tensor for slot, tensor in slots.items()}
    if state.average:
        tensors |= {f"average.{name}": tensor for name, tensor in state.average.state_dict().items()}
    return tensors | {"diverged": state.diverged}
