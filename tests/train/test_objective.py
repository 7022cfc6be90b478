"""A compiled step: whole, and with the losses of one that is not compiled."""

import copy

import pytest
import torch

from pipeline.model.backbones.factored import Factored
from pipeline.model.determinism import reproducible
from pipeline.model.loss import bce
from pipeline.train.objective import Objective, compile_objective
from pipeline.train.optimizer import make_optimizer
from pipeline.train.step import descend, skip_unless_finite
from tests.model.conftest import design_with, make_model

__all__ = ["design_with", "make_model"]  # fixtures of others, handed on

PLAIN = Factored.forward
STEPS = 3


def losses(objective, train, device="cpu"):
    """Of some steps on one batch, which has been seen before."""
    random = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (4, 4, 32, 32, 3), dtype=torch.uint8, generator=random).to(device)
    targets, found = (torch.rand(4, 7, generator=random) < 0.3).to(device), []
    optimizer = make_optimizer(objective.model, train, fused=True)
    with reproducible(threads=1):
        for number in range(STEPS):
            torch.manual_seed(number)  # of dropout
            loss = objective(pictures, torch.empty(4, 0, device=device), targets)
            skip_unless_finite(optimizer, loss)
            descend(loss, objective.model, optimizer, average=None, clip=None)
            found.append(loss.item())
    return found


@pytest.fixture
def both(make_model, params, monkeypatch):
    """An objective and its copy, their (2+1)D convolutions filled up as on a GPU."""

    def make(heads, **changes):
        model = make_model(heads, gcn__hidden=8, **changes).train()
        return [Objective(each, params.frames, bce) for each in (model, copy.deepcopy(model))]

    monkeypatch.setattr(Factored, "forward", lambda self, x: self.padded(x) if self.missing else PLAIN(self, x))
    torch.manual_seed(0)
    return make


@pytest.mark.slow
@pytest.mark.parametrize(
    ("heads", "changes"),
    [
        (("visual", "audio", "text"), {"backbone__name": "r2plus1d_tiny"}),
        (("visual", "text"), {"model__relation": "transformer"}),
        (("decoder",), {}),
    ],
)
def test_a_step_has_no_graph_break_and_the_same_losses(both, params, heads, changes):
    """By PyTorch's own way back through the traced graph, without machine code, so that every operation is the same."""
    plain, traced = both(heads, **changes)
    traced.compile(dynamic=False, fullgraph=True, backend="aot_eager")
    assert losses(traced, params.train) == losses(plain, params.train)


@pytest.mark.slow
def test_machine_code_gives_the_same_losses(both, params):
    """The network in float64 and the loss in float32, to whose rounding the losses agree.

    In float32 other orders of additions show: a batch norm that sees four small clips makes hundredths of them within
    three steps, as it does of another CPU's.
    """
    plain, compiled = both(("visual", "audio", "text"), backbone__name="r2plus1d_tiny")
    for objective in (plain, compiled):
        objective.model.double().register_forward_pre_hook(lambda _, inputs: tuple(each.double() for each in inputs))
    compile_objective(compiled, "kernels", deterministic=True, fullgraph=True)
    train = params.train.model_copy(update={"learning_rate": 0.01})
    assert losses(compiled, train) == pytest.approx(losses(plain, train), rel=1e-6)
    names = list(plain.model.state_dict())
    assert list(compiled.model.state_dict()) == names  # a checkpoint knows nothing of it


def test_without_compiling_nothing_is_done(both):
    objective, _ = both(("fc",))
    compile_objective(objective, "none", deterministic=True)
    assert objective._compiled_call_impl is None


@pytest.mark.cuda
@pytest.mark.parametrize("how", ["kernels", "graphs"])
def test_on_a_gpu_too(both, params, how):
    plain, compiled = (
        objective.cuda() for objective in both(("visual", "audio", "text"), backbone__name="r2plus1d_tiny")
    )
    for objective in (plain, compiled):
        objective.model.double().register_forward_pre_hook(lambda _, inputs: tuple(each.double() for each in inputs))
    compile_objective(compiled, how, deterministic=True, fullgraph=True)
    train = params.train.model_copy(update={"learning_rate": 0.01})
    assert losses(compiled, train, "cuda") == pytest.approx(losses(plain, train, "cuda"), rel=1e-6)
