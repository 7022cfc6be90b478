"""Network benchmarks: the visual GCN, a training step with all GCNs, an exported model, each against its plain form."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from operator import attrgetter
from statistics import median

import torch
from torch import Tensor, nn

from pipeline.bench.corpus import Corpus, on_cores
from pipeline.bench.measure import by_rate, by_time, cores, rates
from pipeline.exchange.export import ONNX_NAME, PT2_NAME, ClipShape, export
from pipeline.exchange.exported import open_exported
from pipeline.foundations.params import Params
from pipeline.foundations.tables.schemas import FORM_SIZE
from pipeline.graph.normalize import normalize
from pipeline.model.design import Design
from pipeline.model.gcn import Gcn
from pipeline.model.gcn_fast import shared_feature_gcn
from pipeline.model.loss import bce
from pipeline.model.model import MultiActionModel, build_model
from pipeline.report.bench_rows import Row, row
from pipeline.train.optimizer import make_optimizer

ACTIONS, WORD_SIZE = 313, 300
EDGES = 0.01
"""Part of all pairs that are edges."""
PAPER = "r2plus1d_34"
SIZE = 112
"""Pixels of a clip, square."""
FRAMES = 8
PASSES = 20
"""That are timed together, since one takes milliseconds."""
ALL, BASELINE = ("visual", "audio", "text"), ("fc",)


def graph(actions: int = ACTIONS, seed: int = 0) -> Tensor:
    """A random graph, normalized; N x N."""
    draws = torch.rand(actions, actions, generator=torch.Generator().manual_seed(seed))
    return normalize((draws < EDGES).double().fill_diagonal_(0), "paper").float()


def model_of(params: Params, heads: tuple[str, ...], backbone: str, actions: int = ACTIONS) -> MultiActionModel:
    """The paper's model with some heads, its weights and node forms drawn from a fixed seed."""
    torch.manual_seed(0)
    design = replace(
        Design.of(params),
        backbone=params.backbone.model_copy(update={"name": backbone, "weights": None}),
        model=params.model.model_copy(update={"heads": heads, "relation": "gcn"}),
    )
    return build_model(
        design,
        actions=actions,
        adjacency=graph(actions),
        audio_forms=torch.randn(actions, FORM_SIZE),
        text_forms=torch.randn(actions, WORD_SIZE),
    )


def gcn(corpus: Corpus, *, batch: int = 64, features: int = 512, hidden: int = 1024) -> list[Row]:
    """The visual GCN forward and backward, by the exact fast form and by Equation 1 as it stands."""
    slope = corpus.params.gcn.slope
    torch.manual_seed(0)
    network = Gcn([features, hidden, ACTIONS], slope=slope, bias=True, last_activation=False)
    adjacency, features_BC = graph(), torch.randn(batch, features)

    def ours() -> int:
        for _ in range(PASSES):
            shared_feature_gcn(network, adjacency, features_BC).sum().backward()  # type: ignore[no-untyped-call]
        return PASSES

    def literal() -> int:
        nodes_BNC = features_BC[:, None].expand(-1, ACTIONS, -1)
        network(adjacency, nodes_BNC).mean(1).sum().backward()
        return 1

    with cores(2):
        found = rates({"ours": ours, "peer": literal}, repeats=3)
    return [
        row(
            "gcn",
            by_rate(found),
            device=on_cores(2),
            what=f"visual GCN, forward and backward, B {batch}, N {ACTIONS}, C {features}, H {hidden}",
            peer="the literal equation",
            unit="passes/s",
            bound="at least",
            target=100.0,
        )
    ]


def step(corpus: Corpus, *, backbone: str = PAPER, batch: int = 2) -> list[Row]:
    """A training step of the model with all three GCNs, and with the fully connected baseline in their place.

    The two differ by their heads alone, which take milliseconds of seconds, less than one step differs from the next
    on a busy machine: so the heads are timed by themselves too.
    """
    torch.manual_seed(0)
    clips, targets = torch.randn(batch, 3, FRAMES, SIZE, SIZE), torch.rand(batch, ACTIONS) < EDGES

    def work(heads: tuple[str, ...], part: Callable[[MultiActionModel], nn.Module], inputs: Tensor) -> partial[int]:
        model = part(model_of(corpus.params, heads, backbone).train())
        return partial(learn, model, make_optimizer(model, corpus.params.train), inputs, targets)

    def both(part: Callable[[MultiActionModel], nn.Module], inputs: Tensor) -> dict[str, list[float]]:
        return rates({"ours": work(ALL, part, inputs), "peer": work(BASELINE, part, inputs)}, repeats=11)

    with cores(2):
        whole = both(lambda model: model, clips)
        features = model_of(corpus.params, BASELINE, backbone).features(clips).detach().requires_grad_()
        heads = both(attrgetter("head"), features)
    fc = 1 / median(whole["peer"])
    added = [1 / (fc + 1 / three - 1 / one) for three, one in zip(heads["ours"], heads["peer"], strict=True)]
    line = partial(
        row,
        device=on_cores(2),
        what=f"a training step of {backbone} with all three GCNs, {batch} clips of {FRAMES} x {SIZE} x {SIZE}",
        unit="s",
        bound="at most",
        target=1.03,
    )
    return [
        line(
            "step",
            by_time(whole),
            peer="the same step with fc",
            note="the GCNs' own work does not grow with the batch, which is 64 in the paper",
        ),
        line(
            "step, by its heads",
            by_time({"ours": added, "peer": [1 / fc] * len(added)}),
            peer="the same step with fc, and what the heads alone take more than fc",
            note="their own forward, backward and update; the backbone's work is the same",
        ),
    ]


def learn(model: nn.Module, optimizer: torch.optim.SGD, inputs: Tensor, targets: Tensor) -> int:
    """One step of training."""
    loss = bce(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return 1


def exported(corpus: Corpus, *, backbone: str = PAPER) -> list[Row]:
    """One clip through the exported models and through the trained one, as `m3a predict` runs them."""
    model = model_of(corpus.params, ALL, backbone).eval()
    folder = corpus.folder / "exported"
    export(model, folder, ClipShape(frames=FRAMES, height=SIZE, width=SIZE), {})
    clip = torch.randn(1, 3, FRAMES, SIZE, SIZE)
    with cores(1), torch.inference_mode():
        works = {name: partial(_score, open_exported(folder / name, threads=1).scores, clip) for name in _KINDS}
        found = rates(works | {"peer": partial(_score, model.scores, clip)}, repeats=5)
    return [
        row(
            f"export, {kind}",
            by_time(found, name),
            device=on_cores(1),
            what=f"one clip through {backbone} with all three GCNs, as {kind}",
            peer="the trained model",
            unit="s",
            bound="at most",
            target=1.0,
        )
        for name, kind in _KINDS.items()
    ]


_KINDS = {ONNX_NAME: "ONNX", PT2_NAME: "torch.export"}


def _score(scores: object, clip: Tensor) -> int:
    scores(clip)  # type: ignore[operator]
    return 1
