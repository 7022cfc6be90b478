"""Benchmark of portable arithmetic: the heavy stages' mathematics against the same with this CPU's own kernels.

    python -m pipeline.bench.arithmetic NAME SCRATCH

is the measured process: at each line on standard input it does the work once. The environment says how it computes.
"""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from pipeline.audio.embedders import CLIP_SAMPLES, clip_patches
from pipeline.audio.extraction import embed
from pipeline.audio.logmel import BANDS, PATCH_FRAMES
from pipeline.bench.corpus import Corpus, on_cores
from pipeline.bench.measure import by_time, cores, rates
from pipeline.bench.network import ACTIONS, ALL, EDGES, FRAMES, PAPER, SIZE, learn, model_of
from pipeline.bench.process import in_a_process
from pipeline.bench.vggish import CLIPS, seeded_network
from pipeline.foundations.params import load_params
from pipeline.foundations.runtime.numerics import MARK, SETTINGS
from pipeline.foundations.tables.seeds import generator
from pipeline.report.bench_rows import Row, row
from pipeline.train.optimizer import make_optimizer
from pipeline.weights.saved_model import PROJECT

Work = Callable[[], object]
BOUND = 1.2
WHY = (
    "where the CPU has AVX-512, its own kernels work on twice as many numbers at once; and MKL's branch for all CPUs, "
    "which matrix products take, knows SSE alone"
)
REPEATS = 5


def log_mel(scratch: Corpus) -> Work:
    """Stages filter_silent and extract_vggish, from samples: log-mel patches of 32 clips."""
    sounds = generator(0, "bench", "sounds").standard_normal((CLIPS, CLIP_SAMPLES), dtype=np.float32) * 0.1
    return lambda: [clip_patches(sound) for sound in sounds]


def vggish(scratch: Corpus) -> Work:
    """Stage extract_vggish: the network on the patches of 32 clips."""
    network = seeded_network(scratch)
    patches = generator(0, "bench", "patches").standard_normal((CLIPS * 3, PATCH_FRAMES, BANDS), dtype=np.float32)
    return lambda: embed(patches, network)


def sample_step(scratch: Corpus) -> Work:
    """Stage train on the sample: a step of its own backbone."""
    return _step(scratch, scratch.params.backbone.name, scratch.params.train.batch, scratch.params.train.crop)


def paper_step(scratch: Corpus) -> Work:
    """Stage train with the paper's backbone: a step of two clips."""
    return _step(scratch, PAPER, 2, SIZE)


def paper_scores(scratch: Corpus) -> Work:
    """Stage evaluate with the paper's backbone: one view."""
    model = model_of(scratch.params, ALL, PAPER).eval()
    clip = torch.randn(1, 3, FRAMES, SIZE, SIZE)

    def work() -> object:
        with torch.inference_mode():
            return model.scores(clip)

    return work


def _step(scratch: Corpus, backbone: str, batch: int, crop: int) -> Work:
    model = model_of(scratch.params, ALL, backbone).train()
    optimizer = make_optimizer(model, scratch.params.train)
    clips, targets = torch.randn(batch, 3, FRAMES, crop, crop), torch.rand(batch, ACTIONS) < EDGES
    return lambda: learn(model, optimizer, clips, targets)


WORKS: dict[str, tuple[Callable[[Corpus], Work], int, str]] = {
    "log_mel": (log_mel, 1, "log-mel patches of 32 clips"),
    "vggish": (vggish, 1, "VGGish on 32 clips of 3 patches"),
    "sample_step": (sample_step, 2, "a training step of the bundled sample"),
    "paper_step": (paper_step, 2, f"a training step of {PAPER}, 2 clips of {FRAMES} x {SIZE} x {SIZE}"),
    "paper_scores": (paper_scores, 1, f"one clip scored by {PAPER}"),
}
"""What is measured: how it is made ready, on how many threads, in words."""


def arithmetic(corpus: Corpus) -> list[Row]:
    """Each work with portable and with native arithmetic, turn by turn, in two processes."""
    return [_compared(corpus, name) for name in WORKS]


def _compared(corpus: Corpus, name: str) -> Row:
    _, threads, what = WORKS[name]
    bare = {key: value for key, value in os.environ.items() if key not in {*SETTINGS, MARK}}
    command: list[str | Path] = [sys.executable, "-m", "pipeline.bench.arithmetic", name, corpus.folder]
    with cores(threads), ExitStack() as stack:
        works = {
            kind: stack.enter_context(in_a_process(command, name="arithmetic", items=1, cwd=PROJECT, env=bare | own))
            for kind, own in (("ours", SETTINGS), ("peer", {}))
        }
        found = rates(works, repeats=REPEATS)
    return row(
        f"portable, {name}",
        by_time(found),
        device=on_cores(threads),
        what=f"{what}, portable arithmetic",
        peer="the same, native",
        unit="s",
        bound="at most",
        target=BOUND,
        note=WHY,
    )


def main(name: str, scratch: Path) -> None:
    """Do the work at each line, and answer with it."""
    make, threads, _ = WORKS[name]
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    work = make(Corpus(scratch, load_params(PROJECT / "params.yaml")))
    with threadpool_limits(limits=threads):
        for line in sys.stdin:
            work()
            print(line.strip(), flush=True)  # noqa: T201  the answer


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
