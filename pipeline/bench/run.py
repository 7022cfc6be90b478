"""The benchmarks by name, and how they are run, each in a temporary folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch

from pipeline.bench import (
    arithmetic,
    bookkeeping,
    copies,
    cuda,
    cuda_parts,
    cuda_waits,
    memory,
    network,
    pictures,
    sandbox,
    sound,
    vggish,
)
from pipeline.bench.corpus import Corpus
from pipeline.foundations.params import Params
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.extras import require
from pipeline.foundations.runtime.files import cache_folder
from pipeline.foundations.runtime.progress import say
from pipeline.foundations.tables import tables
from pipeline.report.bench_rows import Row, merged

Benchmark = Callable[[Corpus], list[Row]]
ON_CPU: dict[str, Benchmark] = {
    "sound": sound.sound,
    "sandbox": sandbox.sandboxed,
    "silence": sound.silence,
    "vggish": vggish.vggish,
    "loader": pictures.loader,
    "views": pictures.tested,
    "copies": copies.copies,
    "gcn": network.gcn,
    "step": network.step,
    "export": network.exported,
    "portable": arithmetic.arithmetic,
    "bookkeeping": bookkeeping.bookkeeping,
    "memory": memory.memory,
}
ON_CUDA: dict[str, Benchmark] = {
    "conv3d": cuda_parts.conv3d,
    "train": cuda.training,
    "test": cuda.scoring,
    "graphs": cuda.graphs,
    "wait": cuda_waits.waiting,
    "vggish": cuda_parts.vggish,
    "feed": cuda_parts.feeding,
}
NEEDED = {"vggish": "hub", "export": "onnx"}
"""The extras of peers on the CPU; without one its benchmark is left out, or refused where it is asked for by name."""
APART = ("memory",)
"""Runs by its name alone: it takes minutes by itself."""


def run(
    names: Sequence[str],
    params: Params,
    *,
    device: Literal["cpu", "cuda"],
    table: Path,
    given: tuple[Path, ...] = (),
) -> Iterator[Row]:
    """Run benchmarks, all but those apart where none is named, and put their lines into the table as they come.

    Raises:
        PlainError: a name is unknown; CUDA is wanted, and there is none; a named one's library is not installed.
    """
    known = ON_CPU if device == "cpu" else ON_CUDA
    unknown = [name for name in names if name not in known]
    if unknown:
        raise PlainError(f"bench: {unknown[0]!r} is no benchmark on {device}: choose from {', '.join(known)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise PlainError("bench --device cuda: PyTorch can use no CUDA device here")
    scratch = cache_folder() / "bench"
    scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=scratch) as folder:
        corpus = Corpus(Path(folder).absolute(), params, given)
        for name in names or _runnable(known):
            _check_library(known, name)
            say(f"bench: {name}")
            rows = known[name](corpus)
            tables.write("bench", table, merged(table, rows))
            yield from rows


def _runnable(known: Mapping[str, Benchmark]) -> Iterator[str]:
    """All but those apart, and those whose library is not installed, which are named."""
    for name in known:
        if name in APART:
            continue
        try:
            _check_library(known, name)
        except PlainError as error:
            say(f"{error}; left out")
        else:
            yield name


def _check_library(known: Mapping[str, Benchmark], name: str) -> None:
    """Go on where the library of its peer is installed.

    Raises:
        PlainError: it is not.
    """
    if known is ON_CPU and name in NEEDED:
        require(NEEDED[name], f"bench {name}")
