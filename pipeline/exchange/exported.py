"""Open exported models: ONNX by ONNX Runtime, `.pt2` by PyTorch; both on the CPU."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pipeline.exchange.export import DESCRIPTION
from pipeline.exchange.screening import screen
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.extras import require


class Exported(NamedTuple):
    """A model that `pipeline.exchange.export` wrote."""

    scores: Callable[[Tensor], Tensor]
    """Normalized clips, B x 3 x T x Y x X, to scores in [0, 1], B x N."""
    description: dict[str, Any]
    """The description that was given at export."""


def open_exported(path: Path, *, threads: int) -> Exported:
    """Open a `.onnx` or a `.pt2` file.

    Args:
        path: the file; its suffix says of which kind.
        threads: of ONNX Runtime; the caller sets those of PyTorch.

    Raises:
        PlainError: it cannot be read, holds more than a model, or was not written by `m3a export`.
    """
    if not path.is_file():
        raise PlainError(f"{path}: no such file; give a model that `m3a export` wrote")
    openers: dict[str, Callable[[], Exported]] = {
        ".onnx": lambda: _open_onnx(path, threads),
        ".pt2": lambda: _open_pt2(path),
    }
    if path.suffix not in openers:
        raise PlainError(f"{path}: not a model's folder, and its suffix is {path.suffix!r}, not .onnx or .pt2")
    return openers[path.suffix]()


def _open_onnx(path: Path, threads: int) -> Exported:
    require("onnx", f"{path}: a model in ONNX")
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as faults

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except (
        faults.Fail, faults.InvalidArgument, faults.InvalidGraph, faults.InvalidProtobuf, faults.NotImplemented,
        faults.RuntimeException,
    ) as error:  # fmt: skip
        raise PlainError(f"{path}: cannot be read as ONNX: {' '.join(str(error).split())}") from error

    def scores(clips: Tensor) -> Tensor:
        (found,) = session.run(["scores"], {"clips": clips.contiguous().numpy()})
        return torch.from_numpy(found)

    return Exported(scores, _description(path, session.get_modelmeta().custom_metadata_map.get(DESCRIPTION, "")))


def _open_pt2(path: Path) -> Exported:
    screen(path)
    extra = {DESCRIPTION: ""}
    try:
        program = torch.export.load(path, extra_files=extra)
    except (RuntimeError, ValueError, KeyError, AssertionError) as error:
        raise PlainError(f"{path}: cannot be read as a model of torch.export: {error}") from error
    return Exported(program.module(), _description(path, extra[DESCRIPTION]))


def _description(path: Path, text: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise PlainError(f"{path}: carries no {DESCRIPTION}; expected a model written by `m3a export`") from error
    return content
