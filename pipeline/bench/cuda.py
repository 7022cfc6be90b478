"""GPU benchmarks: training and testing the paper's network, against the loops that a user would write.

Ours is bfloat16 under autocast, channels innermost, kernels held to the same bits each time as in training; compiled
or not. The plain loops leave PyTorch as it comes: in float32, and under autocast. Every function also runs on a CPU
and with a small network, which is how they are tested where there is no GPU.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from math import nan

import torch
from torch import Tensor, nn

from pipeline.bench.corpus import Corpus
from pipeline.bench.measure import Rates, by_rate, rates
from pipeline.bench.network import ACTIONS, ALL, EDGES, FRAMES, PAPER, SIZE, model_of
from pipeline.foundations.params import Params
from pipeline.model.determinism import reproducible
from pipeline.model.flops import flops_of
from pipeline.model.loss import bce
from pipeline.model.normalize import as_clips
from pipeline.report.bench_rows import Comparison, Row, row
from pipeline.train.optimizer import make_optimizer

BATCH, TEST_BATCH = 64, 60
STEPS = 10
"""That are timed together."""
REPEATS = 5
MATRIX = 8192
"""Rows and columns of the matrices whose product gives the device's rate."""


Compiler = Callable[[nn.Module], nn.Module]


def compiled(model: nn.Module) -> nn.Module:
    """The model, compiled at its first call."""
    made: nn.Module = torch.compile(model)  # type: ignore[assignment]
    return made


@dataclass(frozen=True)
class Variant:
    """A way to run the network."""

    ours: bool = False
    mixed: bool = False
    compiled: bool = False


VARIANTS = {
    "plain": Variant(),
    "autocast": Variant(mixed=True),
    "ours": Variant(ours=True, mixed=True),
    "compiled": Variant(ours=True, mixed=True, compiled=True),
}
PEERS = {"plain": "the plain loop in float32", "autocast": "the plain loop under autocast, bfloat16"}


def device_name(device: torch.device) -> str:
    """The GPU's name, or the kind of device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def training(
    corpus: Corpus, *, device: str = "cuda", backbone: str = PAPER, batch: int = BATCH, size: int = SIZE,
    matrix: int = MATRIX, compiler: Compiler = compiled,
) -> list[Row]:  # fmt: skip
    """Training steps, clips a second."""
    where = torch.device(device)
    found = training_rates(corpus.params, tuple(VARIANTS), where, backbone, batch, size, compiler)
    what = f"training {backbone} with all three GCNs, {batch} clips of {FRAMES} x {size} x {size} a step, bfloat16"
    return _rows("train", what, found, where, flops=3 * flops_of(backbone, FRAMES, size), matrix=matrix)


def training_rates(
    params: Params, names: tuple[str, ...], device: torch.device, backbone: str, batch: int, size: int,
    compiler: Compiler = compiled,
) -> dict[str, list[float]]:  # fmt: skip
    """Clips a second of training, by the variants' names."""
    pictures, targets = _pictures(batch, size, device), torch.rand(batch, ACTIONS, device=device) < EDGES

    def work(variant: Variant) -> Callable[[], int]:
        model, run = _network(params, variant, backbone, device, compiler)
        return partial(_learn, model.train(), run, params, variant, pictures, targets)

    return rates({name: work(VARIANTS[name]) for name in names}, repeats=REPEATS)


def scoring(
    corpus: Corpus, *, device: str = "cuda", backbone: str = PAPER, batch: int = TEST_BATCH, size: int = SIZE,
    matrix: int = MATRIX, compiler: Compiler = compiled,
) -> list[Row]:  # fmt: skip
    """Scores of ready views, clips a second."""
    where = torch.device(device)
    pictures = _pictures(batch, size, where)

    def work(variant: Variant) -> Callable[[], int]:
        model, run = _network(corpus.params, variant, backbone, where, compiler)
        model.eval()
        return partial(_test, run, corpus.params, variant, pictures)

    found = rates({name: work(variant) for name, variant in VARIANTS.items()}, repeats=REPEATS)
    what = f"testing {backbone} with all three GCNs, {batch} clips of {FRAMES} x {size} x {size} a batch, bfloat16"
    return _rows("test", what, found, where, flops=flops_of(backbone, FRAMES, size), matrix=matrix)


def _rows(name: str, what: str, found: Rates, device: torch.device, *, flops: float, matrix: int) -> list[Row]:
    """Ours beside each plain loop, compiled beside not, and the better one's FLOP/s beside the device's rate."""
    line = partial(row, device=device_name(device), unit="clips/s")
    rows = [
        line(f"{name}, against {peer}", by_rate(found, theirs=peer), what=what, peer=words)
        for peer, words in PEERS.items()
    ]
    rows.append(
        line(f"{name}, compiled", by_rate(found, "compiled", "ours"), what=f"{what}, compiled", peer="not compiled")
    )
    best = max(("ours", "compiled"), key=lambda each: by_rate(found, each, each).ours)
    reached, peak = by_rate(found, best, best).ours * flops / 1e12, matrix_rate(device, matrix) / 1e12
    rows.append(
        row(
            f"{name}, of the matrix rate",
            Comparison(reached, peak, reached / peak, nan, nan, REPEATS),
            device=device_name(device),
            what=f"{what}{', compiled' * (best == 'compiled')}; {flops / 1e9:,.2f} GFLOP a clip",
            peer=f"a product of bfloat16 matrices, {matrix} x {matrix}",
            unit="TFLOP/s",
        )
    )
    return rows


def matrix_rate(device: torch.device, size: int) -> float:
    """FLOP/s of a product of two bfloat16 matrices."""
    a, b = (torch.randn(size, size, device=device).bfloat16() for _ in range(2))

    def product() -> int:
        for _ in range(STEPS):
            a @ b
        _wait(device)
        return STEPS

    return by_rate(rates({"ours": product, "peer": product}, repeats=REPEATS)).ours * 2.0 * size**3


def _pictures(batch: int, size: int, device: torch.device) -> Tensor:
    return torch.randint(0, 256, (batch, FRAMES, size, size, 3), dtype=torch.uint8, device=device)


def _network(
    params: Params, variant: Variant, backbone: str, device: torch.device, compiler: Compiler
) -> tuple[nn.Module, nn.Module]:
    """The model, and what is called in its place."""
    model: nn.Module = model_of(params, ALL, backbone).to(device)
    if variant.ours:
        model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return model, compiler(model) if variant.compiled else model


def _clips(pictures: Tensor, params: Params, variant: Variant) -> Tensor:
    """Normalized clips, channels innermost in ours and outermost otherwise."""
    clips = as_clips(pictures, params.frames)
    return clips if variant.ours else clips.contiguous()


def _learn(
    model: nn.Module, run: nn.Module, params: Params, variant: Variant, pictures: Tensor, targets: Tensor
) -> int:
    optimizer = make_optimizer(model, params.train)
    with reproducible(torch.get_num_threads()) if variant.ours else nullcontext():
        for _ in range(STEPS):
            with torch.autocast(pictures.device.type, torch.bfloat16, enabled=variant.mixed):
                logits = run(_clips(pictures, params, variant))
            optimizer.zero_grad()
            bce(logits.float(), targets).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        _wait(pictures.device)
    return STEPS * len(pictures)


@torch.inference_mode()
def _test(run: nn.Module, params: Params, variant: Variant, pictures: Tensor) -> int:
    with reproducible(torch.get_num_threads()) if variant.ours else nullcontext():
        for _ in range(STEPS):
            with torch.autocast(pictures.device.type, torch.bfloat16, enabled=variant.mixed):
                run(_clips(pictures, params, variant)).float().sigmoid()
        _wait(pictures.device)
    return STEPS * len(pictures)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
