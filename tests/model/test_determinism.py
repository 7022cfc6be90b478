"""No operation that CUDA cannot run deterministically; shown on the CPU, by the names of the operations."""

import os

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.model.determinism import reproducible
from pipeline.model.loss import bce, wlsep

# From the documentation of torch.use_deterministic_algorithms: what raises an error there on a CUDA tensor.
RAISES_ON_CUDA = (
    "avg_pool3d_backward", "adaptive_avg_pool2d_backward", "adaptive_avg_pool3d_backward",
    "adaptive_max_pool2d_backward", "fractional_max_pool", "max_unpool", "linear1d_backward", "bilinear2d_backward",
    "trilinear3d_backward", "bicubic2d_backward", "reflection_pad", "nll_loss", "ctc_loss", "put_", "histc",
    "bincount", "median", "grid_sampler", "cumsum", "scatter_reduce",
)  # fmt: skip


class Recorder(TorchDispatchMode):
    """Remembers which operations ran."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.name().removeprefix("aten::").removeprefix("_"))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("heads", "changes"),
    [
        (("fc",), {"backbone__pooling": "released"}),
        (("visual", "audio", "text"), {}),
        (("visual", "audio_text"), {"backbone__pooling": "released", "gcn__layers": 3}),
        (("visual", "audio", "text"), {"backbone__name": "r2plus1d_tiny", "model__relation": "transformer"}),
        (("audio", "text"), {"backbone__name": "i3d_50"}),
    ],
)
def test_a_training_step_uses_deterministic_operations_alone(make_model, heads, changes):
    model = make_model(heads, **changes)
    targets = torch.rand(2, 7) < 0.3
    with Recorder() as ran:
        logits = model(torch.randn(2, 3, 8, 64, 64))
        (bce(logits, targets) + wlsep(logits, targets, torch.rand(7))).backward()
    assert "convolution_backward" in ran.names  # the recorder sees the backward pass
    assert [name for name in ran.names for raising in RAISES_ON_CUDA if name.startswith(raising)] == []


def test_the_recorder_would_see_one():
    with Recorder() as ran:
        torch.nn.AvgPool3d(2)(torch.randn(1, 1, 4, 4, 4, requires_grad=True)).sum().backward()
        torch.randn(3).cumsum(0)
    assert {"avg_pool3d_backward", "cumsum"} <= ran.names


def test_reproducible_restores_what_it_changed():
    before = settings()
    with reproducible(before[0] + 1):
        assert settings() == (before[0] + 1, True, False, False)
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"]
    assert settings() == before
    with reproducible(before[0], deterministic=False):
        assert settings() == (before[0], False, True, False)  # cuDNN tries its kernels
    assert settings() == before


def test_new_memory_is_not_filled_before_its_first_write():
    """PyTorch fills below its dispatcher's Python modes, so the profiler watches."""
    with reproducible(1):
        assert "aten::fill_" not in profiled()
        torch.utils.deterministic.fill_uninitialized_memory = True
        assert "aten::fill_" in profiled()


def profiled():
    """The names of the operations of a convolution into new memory."""
    with profile(activities=[ProfilerActivity.CPU]) as ran:
        torch.nn.functional.conv3d(torch.randn(1, 2, 3, 4, 4), torch.randn(2, 2, 1, 1, 1))
        torch.empty(2)
    names = {event.name for event in ran.events()}
    assert "aten::conv3d" in names
    return names


def settings():
    return (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.benchmark,
        torch.utils.deterministic.fill_uninitialized_memory,
    )
