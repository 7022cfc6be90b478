"""From pictures to the loss as one module, for DistributedDataParallel and torch.compile."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from pipeline.foundations.params import Frames
from pipeline.model.model import MultiActionModel
from pipeline.model.normalize import as_clips

Loss = Callable[[Tensor, Tensor], Tensor]
"""Logits B x N and targets B x N to a number."""


class Objective(nn.Module):
    """The loss of a batch: pictures are normalized, the model gives logits, the loss compares them with the targets.

    Shapes: pictures uint8 B x T x Y x X x 3, sounds B x P, targets bool B x N.
    """

    def __init__(self, model: MultiActionModel, frames: Frames, loss: Loss) -> None:
        super().__init__()
        self.model = model
        self.frames = frames
        self.loss = loss

    def forward(self, pictures: Tensor, sounds: Tensor, targets: Tensor) -> Tensor:
        """The loss, a number."""
        logits_BN: Tensor = self.model(as_clips(pictures, self.frames), sounds)
        return self.loss(logits_BN.float(), targets)


def compile_objective(
    objective: Objective, how: Literal["none", "kernels", "graphs"], *, deterministic: bool, fullgraph: bool = False
) -> None:
    """Compile an objective in place, its way back with it, where `train.compile` asks for it.

    Its update needs no compiling: it is one fused kernel a group of weights already. Several processes each compile
    their own, inside DistributedDataParallel, as PyTorch recommends.

    Args:
        objective: changed in place; its model outside of it is not.
        how: `graphs` replays CUDA graphs, which pays where starting kernels takes longer than running them.
        deterministic: choose kernels without timing them.
        fullgraph: raise an error where some of it cannot be compiled, instead of running that part as it is.
    """
    if how != "none":
        options: dict[str, str | int | bool | Callable[..., object]] = {
            "triton.cudagraphs": how == "graphs",
            "deterministic": deterministic,
            "fallback_random": True,  # dropout draws the same numbers as without compiling
        }
        objective.compile(dynamic=False, fullgraph=fullgraph, options=options)
