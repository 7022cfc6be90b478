"""GPU benchmarks: training and testing the paper's network, against the loops that a user would write.

Ours are the pipeline's own steps (`pipeline.train.loop.step`, `MultiActionModel.scores`): with kernels held to the same
bits each time, with the fastest ones, and compiled. The plain loops leave PyTorch as it comes: in float32, and under
autocast. Every function also runs on a CPU and with a small network: so they are tested where there is no GPU.
"""

from collections import deque
from dataclasses import dataclass
from functools import partial
from math import nan
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from pipeline.bench.corpus import Corpus
from pipeline.bench.measure import Rates, Work, by_rate, rates
from pipeline.bench.network import ACTIONS, ALL, EDGES, FRAMES, PAPER, SIZE, model_of
from pipeline.foundations.params import Params
from pipeline.model.determinism import reproducible
from pipeline.model.flops import flops_of
from pipeline.model.loss import bce
from pipeline.model.normalize import as_clips
from pipeline.model.place import place
from pipeline.report.bench_rows import Comparison, Row, row
from pipeline.train.data import Batch
from pipeline.train.distributed import DistributedContext
from pipeline.train.experiment import make_learner
from pipeline.train.loop import Run, Step, step
from pipeline.train.objective import Objective, compile_objective
from pipeline.train.optimizer import make_optimizer, set_training
from pipeline.train.state import Learner

BATCH, TEST_BATCH = 64, 60
STEPS = 10
"""That are timed together."""
REPEATS = 5
MATRIX = 8192
"""Rows and columns of the matrices whose product gives the device's rate."""
PLAIN = {"plain": False, "autocast": True}
"""Whether a plain loop is under autocast."""
PEERS = {"plain": "the plain loop in float32", "autocast": "the plain loop under autocast, bfloat16"}


@dataclass(frozen=True)
class Ours:
    """A way to run our own steps."""

    deterministic: bool = True
    compile: Literal["none", "kernels", "graphs"] = "none"


OURS = {"ours": Ours(), "free": Ours(deterministic=False), "compiled": Ours(compile="kernels")}


def device_name(device: torch.device) -> str:
    """The GPU's name, or the kind of device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def training(
    corpus: Corpus, *, device: str = "cuda", backbone: str = PAPER, batch: int = BATCH, size: int = SIZE,
    matrix: int = MATRIX,
) -> list[Row]:  # fmt: skip
    """Training steps, clips a second."""
    where = torch.device(device)
    found = training_rates(corpus.params, (*PLAIN, *OURS), where, backbone, batch, size)
    what = f"training {backbone} with all three GCNs, {batch} clips of {FRAMES} x {size} x {size} a step, bfloat16"
    return _rows("train", what, found, where, flops=3 * flops_of(backbone, FRAMES, size), matrix=matrix)


def training_rates(
    params: Params, names: tuple[str, ...], device: torch.device, backbone: str, batch: int, size: int
) -> dict[str, list[float]]:
    """Clips a second of training, by the names of `PLAIN` and `OURS`."""
    made = _batch(batch, size, device)

    def work(name: str) -> Work:
        if name in PLAIN:
            return partial(_learn_plainly, *plain_learner(params, backbone, device), made, params, PLAIN[name])
        return partial(_learn, *our_learner(params, backbone, device, OURS[name]), made, OURS[name])

    return rates({name: work(name) for name in names}, repeats=REPEATS)


def graphs(
    corpus: Corpus, *, device: str = "cuda", backbone: str = "r3d_tiny", batch: int = 32, size: int = 56
) -> list[Row]:
    """Training steps of a small network as CUDA graphs, beside ours; a large one's kernels outlast their start."""
    where, made, ways = (
        torch.device(device),
        _batch(batch, size, torch.device(device)),
        OURS | {"graphs": Ours(compile="graphs")},
    )
    works: dict[str, Work] = {
        name: partial(_learn, *our_learner(corpus.params, backbone, where, ways[name]), made, ways[name])
        for name in ("ours", "graphs")
    }
    what = (
        f"training {backbone} with all three GCNs, {batch} clips of {FRAMES} x {size} x {size} a step, as CUDA graphs"
    )
    found = by_rate(rates(works, repeats=REPEATS), "graphs", "ours")
    return [row("train, graphs", found, device=device_name(where), what=what, peer="not compiled", unit="clips/s")]


def scoring(
    corpus: Corpus, *, device: str = "cuda", backbone: str = PAPER, batch: int = TEST_BATCH, size: int = SIZE,
    matrix: int = MATRIX,
) -> list[Row]:  # fmt: skip
    """Scores of ready views, clips a second."""
    where = torch.device(device)
    pictures = _batch(batch, size, where).pictures

    def work(name: str) -> Work:
        model = model_of(corpus.params, ALL, backbone).eval()
        if name in PLAIN:
            return partial(_test_plainly, model.to(where), pictures, corpus.params, PLAIN[name])
        place(model, where, mixed_precision=True)
        return partial(_test, model, pictures, corpus.params, OURS[name])

    found = rates({name: work(name) for name in (*PLAIN, "ours", "free")}, repeats=REPEATS)
    what = f"testing {backbone} with all three GCNs, {batch} clips of {FRAMES} x {size} x {size} a batch, bfloat16"
    return _rows("test", what, found, where, flops=flops_of(backbone, FRAMES, size), matrix=matrix)


def _rows(name: str, what: str, found: Rates, device: torch.device, *, flops: float, matrix: int) -> list[Row]:
    """Ours beside each plain loop, other kernels beside ours, and the best one's FLOP/s beside the device's rate."""
    line = partial(row, device=device_name(device), unit="clips/s")
    others = {"free": "the fastest kernels", "compiled": "compiled"}
    rows = [
        line(f"{name}, against {peer}", by_rate(found, theirs=peer), what=what, peer=words)
        for peer, words in PEERS.items()
    ]
    rows += [
        line(
            f"{name}, {words}", by_rate(found, way, "ours"), what=f"{what}, {words}", peer="deterministic, not compiled"
        )
        for way, words in others.items()
        if way in found
    ]
    best = max((way for way in OURS if way in found), key=lambda each: by_rate(found, each, each).ours)
    reached, peak = by_rate(found, best, best).ours * flops / 1e12, matrix_rate(device, matrix) / 1e12
    rows.append(
        row(
            f"{name}, of the matrix rate",
            Comparison(reached, peak, reached / peak, nan, nan, REPEATS),
            device=device_name(device),
            what=f"{what}{f', {others[best]}' if best in others else ''}; {flops / 1e9:,.2f} GFLOP a clip",
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
        wait(device)
        return STEPS

    return by_rate(rates({"ours": product, "peer": product}, repeats=REPEATS)).ours * 2.0 * size**3


def our_learner(params: Params, backbone: str, device: torch.device, way: Ours) -> tuple[Learner, nn.Module, Run]:
    """A learner, its objective and its run, as stage `train` makes them."""
    context, train = DistributedContext(rank=0, size=1, device=device), params.train
    learner = make_learner(model_of(params, ALL, backbone), train, context)
    objective = Objective(learner.model, params.frames, bce)
    compile_objective(objective, way.compile, deterministic=way.deterministic)
    run = Run(
        train=train, frames=params.frames, seed=0, loss=bce, metrics={}, context=context, workers=0, folder=Path(),
        checkpoint_minutes=60.0,
    )  # fmt: skip
    return learner, objective, run


def plain_learner(params: Params, backbone: str, device: torch.device) -> tuple[nn.Module, torch.optim.SGD]:
    """A model on its device, and its optimizer, as they come."""
    model = model_of(params, ALL, backbone).to(device).train()
    return model, make_optimizer(model, params.train)


def _learn(learner: Learner, objective: nn.Module, run: Run, batch: Batch, way: Ours) -> int:
    set_training(learner.model, run.train)
    unread = deque[Step]()
    with reproducible(torch.get_num_threads(), deterministic=way.deterministic):
        for _ in range(STEPS):
            unread.append(step(learner, objective, batch, run))
            if len(unread) > 1:
                unread.popleft().loss.read()
        unread.popleft().loss.read()
        wait(run.context.device)
    return STEPS * len(batch.rows)


def _learn_plainly(model: nn.Module, optimizer: torch.optim.SGD, batch: Batch, params: Params, mixed: bool) -> int:
    for _ in range(STEPS):
        step_plainly(model, optimizer, batch, params, mixed=mixed)
    wait(batch.pictures.device)
    return STEPS * len(batch.rows)


def step_plainly(model: nn.Module, optimizer: torch.optim.SGD, batch: Batch, params: Params, *, mixed: bool) -> float:
    """A training step as a user would write it, which logs its loss."""
    with torch.autocast(batch.pictures.device.type, torch.bfloat16, enabled=mixed):
        logits = model(as_clips(batch.pictures, params.frames).contiguous())
    loss = bce(logits.float(), batch.targets)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.item()


@torch.inference_mode()
def _test(model: nn.Module, pictures: Tensor, params: Params, way: Ours) -> int:
    with reproducible(torch.get_num_threads(), deterministic=way.deterministic):
        for _ in range(STEPS):
            model.scores(as_clips(pictures, params.frames))  # type: ignore[operator]
        wait(pictures.device)
    return STEPS * len(pictures)


@torch.inference_mode()
def _test_plainly(model: nn.Module, pictures: Tensor, params: Params, mixed: bool) -> int:
    for _ in range(STEPS):
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=mixed):
            model(as_clips(pictures, params.frames).contiguous()).float().sigmoid()
    wait(pictures.device)
    return STEPS * len(pictures)


def _batch(size: int, side: int, device: torch.device) -> Batch:
    """Pictures of noise, with as many actions as the graph has edges."""
    pictures = torch.randint(0, 256, (size, FRAMES, side, side, 3), dtype=torch.uint8, device=device)
    targets = torch.rand(size, ACTIONS, device=device) < EDGES
    return Batch(pictures, targets, torch.empty(size, 0, device=device), torch.arange(size, device=device))


def wait(device: torch.device) -> None:
    """Wait until a GPU has done all that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
