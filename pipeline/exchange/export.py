"""The trained model in exchange formats: ONNX, and PyTorch's own `.pt2`.

Both take normalized clips (B x 3 x T x Y x X, float32, any B) and give scores (B x N, in [0, 1]), with the audio
and text relations folded into one matrix. What a reader needs beside the numbers travels inside the file, as JSON.
"""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.extras import require
from pipeline.model.fold import fold
from pipeline.model.model import MultiActionModel

if TYPE_CHECKING:
    import onnx

ONNX_NAME, PT2_NAME = "model.onnx", "model.pt2"
DESCRIPTION = "description.json"
"""Key of the description, in ONNX's metadata and among the extra files of a .pt2."""


class ClipShape(NamedTuple):
    """The shape of a clip; fixed at export, unlike the batch size."""

    frames: int
    height: int
    width: int


def export(model: MultiActionModel, folder: Path, shape: ClipShape, description: Mapping[str, object]) -> None:
    """Write `model.onnx` and `model.pt2` into `folder`.

    Args:
        model: on the CPU; set to evaluation.
        folder: made where it does not exist; files in it are replaced.
        shape: of a clip.
        description: plain values: the actions in the order of the scores, how clips are made.

    Raises:
        PlainError: ONNX is not installed, or a file cannot be written.
    """
    require("onnx", "m3a export")
    import onnx

    text = json.dumps(description, ensure_ascii=False, sort_keys=True)
    with _silence_exporter():
        program = trace(model, shape)
        graph = to_onnx(program, text)
    with files.atomic_write(folder / PT2_NAME) as path:
        torch.export.save(program, path, extra_files={DESCRIPTION: text})
    with files.atomic_write(folder / ONNX_NAME) as path:
        onnx.save(graph, path)


def trace(model: MultiActionModel, shape: ClipShape) -> ExportedProgram:
    """The folded model as a graph of operations, clips to scores; independent of where the code is installed."""
    example = torch.zeros(2, 3, *shape)
    program = torch.export.export(
        _Scores(fold(model)), (example,), dynamic_shapes={"clips": {0: Dim("batch")}}, strict=False
    )
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # contains paths of this machine
    return program


def to_onnx(program: ExportedProgram, description: str) -> "onnx.ModelProto":
    """The same graph as ONNX, checked, with input `clips`, output `scores` and the description in its metadata."""
    import onnx

    exported = torch.onnx.export(
        program, dynamo=True, input_names=["clips"], output_names=["scores"], verbose=False, optimize=True
    )
    assert exported is not None  # noqa: S101  (None only where a path was given)
    graph = exported.model_proto
    onnx.helper.set_model_props(graph, {DESCRIPTION: description})
    onnx.checker.check_model(graph)
    return graph


class _Scores(nn.Module):
    """`MultiActionModel.scores` as the call that is exported."""

    def __init__(self, model: MultiActionModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, clips: Tensor) -> Tensor:
        return self.model.scores(clips)


@contextmanager
def _silence_exporter() -> Iterator[None]:
    """Suppress the exporter's messages about its internals and optional libraries."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning, module="copyreg")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
