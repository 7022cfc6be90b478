"""GPU benchmark: how long the GPU waits in training that reads its clips from disk, beside a plain loop."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from os import sched_getaffinity

import torch

from pipeline.bench.corpus import Corpus
from pipeline.bench.cuda import BATCH, OURS, device_name, our_learner, plain_learner, step_plainly, wait
from pipeline.bench.measure import by_rate
from pipeline.bench.network import ACTIONS, EDGES, FRAMES, PAPER, SIZE
from pipeline.bench.pictures import examples_of, of_paper, sources_of
from pipeline.model.determinism import reproducible
from pipeline.report.bench_rows import Row, row
from pipeline.train.batches import load
from pipeline.train.data import Batch, Examples, Pick
from pipeline.train.loop import Step, step

STEPS, WARM_UP, REPEATS = 30, 3, 3
Learn = Callable[[Batch], object]


class Mark:
    """A place in the work of a device; on a CPU a moment."""

    def __init__(self, device: torch.device) -> None:
        """Put it behind all that the device was asked for so far."""
        self._event: torch.cuda.Event | None = None
        if device.type == "cuda":
            self._event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            self._event.record()
        self._moment = time.perf_counter()

    def until(self, other: "Mark") -> float:
        """Seconds from here to a later mark; both must have been reached."""
        if self._event is not None and other._event is not None:
            return float(self._event.elapsed_time(other._event)) / 1e3
        return other._moment - self._moment


def waiting(
    corpus: Corpus, *, device: str = "cuda", backbone: str = PAPER, batch: int = BATCH, size: int = SIZE
) -> list[Row]:
    """Fraction of training's time in which the GPU has no step to compute, and clips a second with the loader."""
    where, params = torch.device(device), of_paper(corpus.params)
    params = params.model_copy(update={"train": params.train.model_copy(update={"crop": size})})
    examples = examples_of(sources_of(corpus.pictures), corpus.folder / "waits", params)
    workers = len(sched_getaffinity(0))
    learner, objective, run = our_learner(params, backbone, where, OURS["ours"])
    model, optimizer = plain_learner(params, backbone, where)
    unread = deque[Step]()

    def ours(made: Batch) -> None:
        unread.append(step(learner, objective, made, run))
        if len(unread) > 1:
            unread.popleft().loss.read()

    learners: dict[str, Learn] = {
        "ours": ours,
        "peer": partial(step_plainly, model, optimizer, params=params, mixed=True),
    }
    shares: dict[str, list[float]] = {name: [] for name in learners}
    speeds: dict[str, list[float]] = {name: [] for name in learners}
    for _ in range(REPEATS):
        for name, learn in learners.items():
            with reproducible(torch.get_num_threads(), deterministic=name == "ours"):
                share, speed = observed(learn, batches_of(examples, batch, workers, where), where)
            shares[name].append(share)
            speeds[name].append(speed)
    what = f"training {backbone} from the training copies, {batch} clips of {FRAMES} x {size} x {size} a step"
    line = partial(row, device=f"{device_name(where)}, {workers} cores", peer="the plain loop under autocast, bfloat16")
    return [
        line("wait", by_rate(shares), what=f"{what}: fraction of the time in which the GPU waits", unit=""),
        line("train, from copies", by_rate(speeds), what=what, unit="clips/s"),
    ]


def observed(learn: Learn, batches: Iterator[Batch], device: torch.device) -> tuple[float, float]:
    """Fraction of the time between steps, and clips a second, after the first few steps."""
    spans: list[tuple[Mark, Mark]] = []
    clips = 0
    for made in batches:
        begin = Mark(device)
        learn(made)
        spans.append((begin, Mark(device)))
        clips = len(made.rows)
    wait(device)
    spans = spans[WARM_UP:]
    idle = sum(before[1].until(after[0]) for before, after in pairwise(spans))
    whole = spans[0][0].until(spans[-1][1])
    return idle / whole, clips * len(spans) / whole


def batches_of(examples: Examples, size: int, workers: int, device: torch.device) -> Iterator[Batch]:
    """Batches from the loader, on the device: a few videos again and again, in other views, with random actions."""
    picks: Sequence[list[Pick]] = [
        [Pick((number * size + place) % len(examples), number) for place in range(size)]
        for number in range(WARM_UP + STEPS)
    ]
    targets = torch.rand(size, ACTIONS, device=device) < EDGES
    for made in load(examples, picks, workers=workers, device=device):
        yield Batch(*(tensor.to(device, non_blocking=True) for tensor in made))._replace(targets=targets)
