"""Published weights in: a checkpoint to safetensors, once; safetensors into a model, as often as wanted.

A checkpoint is a pickle and may be hostile: it is read with `weights_only`, and what holds more than tensors
and plain values is refused. What is written holds tensors by our names, and a header that says where they come
from and which batch norm settings they mean.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251  the name of an error
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import finite
from pipeline.model.backbones import BatchNorm
from pipeline.model.model import MultiActionModel
from pipeline.model.published import (
    backbone_of,
    backbone_tensors,
    head_of,
    our_names,
    publisher_of,
    set_aside,
    warnings_of,
)

# What torch.load raises on a file that is no checkpoint, or a damaged one.
_UNREADABLE = (RuntimeError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, ImportError)

_PARALLEL = "module."
_INSIDE = ("model_state", "state_dict")
_SIZED_BY_ACTIONS = ("head.weight", "head.bias", "head.learners.visual.")


class Origin(NamedTuple):
    """Where converted weights come from; the file's header."""

    source: str
    """Name of the checkpoint's file."""
    sha256: str
    """Of the checkpoint."""
    publisher: str
    backbone: str
    batch_norm: BatchNorm
    parameters: dict[str, object]
    """What the checkpoint's shapes say of its head, by the keys of params.yaml; empty without a head."""


class Conversion(NamedTuple):
    """What became of a checkpoint's tensors."""

    origin: Origin
    mapped: dict[str, str]
    """Published name to ours."""
    left_over: dict[str, tuple[int, ...]]
    """Tensors that have no place in the model, with their shapes."""
    reasons: dict[str, str]
    """Why, of those of them that are known."""
    warnings: list[str]
    """In what the model that `origin.parameters` describe is not the released one."""


def convert(source: Path, target: Path) -> Conversion:
    """Write a published checkpoint as safetensors, by our names.

    Args:
        source: the authors' (with `model_state` inside, or bare), or ig65m-pytorch's R(2+1)D-34.
        target: the safetensors file; replaced where it exists.

    Raises:
        PlainError: the checkpoint is unreadable, of another publisher, holds more than tensors, lacks some of
            its backbone's, or has NaN in them.
    """
    theirs = read_checkpoint(source)
    publisher = publisher_of(theirs)
    if publisher is None:
        raise PlainError(
            f"{source}: not recognized: found names such as {', '.join(list(theirs)[:3])}; expected a checkpoint of "
            "zhenglab/multi-action-video, r2plus1d_34 of moabitcoin/ig65m-pytorch, resnet3d50 of "
            "zhoubolei/moments_models, or TIN of open-mmlab/mmaction2"
        )
    mapped = our_names(theirs, publisher)
    tensors = {ours: theirs[name].contiguous() for name, ours in mapped.items()}
    if publisher.pictures:
        tensors = {name: tensor[:, :, None] if tensor.ndim == 4 else tensor for name, tensor in tensors.items()}
    backbone = backbone_of(tensors)
    reasons = set_aside(theirs)
    head = head_of(tensors, positions=bool(reasons))
    origin = Origin(source.name, files.sha256(source), publisher.name, backbone, publisher.batch_norm, head)
    write_converted(source, target, tensors, origin)
    left_over = {name: tuple(tensor.shape) for name, tensor in theirs.items() if name not in mapped}
    return Conversion(origin, mapped, left_over, reasons, warnings_of(head))


def write_converted(source: Path, target: Path, tensors: Mapping[str, Tensor], origin: Origin) -> None:
    """Write converted weights, by our names, as safetensors.

    Args:
        source: what they were read from, for errors.
        target: the safetensors file; replaced where it exists.
        tensors: all of the backbone `origin.backbone`, and a head's where there is one.
        origin: the header.

    Raises:
        PlainError: one of the backbone's tensors is missing, of another shape, or not finite.
    """
    _check(source, tensors, backbone_tensors(origin.backbone))
    with files.atomic_write(target) as path:
        path.write_bytes(save(dict(tensors), _header(origin)))  # not save_file, whose full disk is no OSError


def read_checkpoint(source: Path) -> dict[str, Tensor]:
    """The tensors of a PyTorch checkpoint, by name; from `model_state` or `state_dict` where it has one.

    The prefix `module.`, which a model trained on several GPUs gives to all its names, is taken off.

    Raises:
        PlainError: the file is absent, damaged, or holds anything but tensors and plain values.
    """
    try:
        content = torch.load(source, map_location="cpu", weights_only=True)
    except OSError as error:
        raise PlainError(f"{source}: cannot be read: {error.strerror or error}") from error
    except UnpicklingError as error:
        raise PlainError(
            f"{source}: refused: it is no checkpoint, or holds more than tensors ({_refused(str(error))})"
        ) from error
    except _UNREADABLE as error:
        raise PlainError(f"{source}: not a PyTorch checkpoint, or damaged: {error}") from error
    inside = next((name for name in _INSIDE if name in content), None) if isinstance(content, Mapping) else None
    state = content if inside is None else content[inside]
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise PlainError(f"{source}: expected tensors by name, bare or under {' or '.join(_INSIDE)}")
    names = [str(name) for name in state]
    prefix = _PARALLEL if all(name.startswith(_PARALLEL) for name in names) else ""
    return dict(zip((name.removeprefix(prefix) for name in names), state.values(), strict=True))


def _refused(message: str) -> str:
    """What PyTorch refused, in its message of several lines; its advice, to load the file all the same, is left out."""
    asked = re.search(r"GLOBAL (\S+)", message)
    return f"it asks for {asked[1]}" if asked else "its bytes are not those of a checkpoint"


def load(path: Path, model: MultiActionModel, *, head: bool) -> Origin:
    """Put converted weights into a model, and their batch norm settings.

    Args:
        path: what `convert` wrote.
        model: its backbone's tensors are replaced, and with `head` its relation learners' too. The adjacency and
            the forms stay: they are the graph's and the lexicon's.
        head: also load the head.

    Raises:
        PlainError: the file is unreadable or not converted; the backbone, the vocabulary or another size is
            not the model's; a tensor is missing or has NaN.
    """
    origin = read_origin(path)
    expected = {
        name: tensor.shape
        for name, tensor in model.state_dict().items()
        if name.startswith("backbone.") or (head and not name.endswith((".forms", ".adjacency")))
    }
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys() if head or name.startswith("backbone.")}  # noqa: SIM118
    _check(path, tensors, expected)
    unknown = sorted(tensors.keys() - expected.keys())
    if unknown:
        raise PlainError(f"{path}: holds {unknown[0]}, which the model lacks; its parameters are {origin.parameters}")
    model.load_state_dict(tensors, strict=False)
    model.batch_norm = origin.batch_norm
    return origin


def read_origin(path: Path) -> Origin:
    """The header of converted weights.

    Raises:
        PlainError: the file is absent, or was not written by `convert`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
        settings = BatchNorm(float(header["batch_norm_eps"]), float(header["batch_norm_momentum"]))
        names = (header["source"], header["sha256"], header["publisher"], header["backbone"])
        return Origin(*names, settings, json.loads(header["parameters"]))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise PlainError(
            f"{path}: not a file of converted weights ({type(error).__name__}: {error}); "
            "make it from a published checkpoint: m3a convert-weights CHECKPOINT FILE.safetensors"
        ) from error


def _header(origin: Origin) -> dict[str, str]:
    """`origin` as strings, which is all that a safetensors header holds."""
    return {
        "source": origin.source,
        "sha256": origin.sha256,
        "publisher": origin.publisher,
        "backbone": origin.backbone,
        "batch_norm_eps": repr(origin.batch_norm.eps),
        "batch_norm_momentum": repr(origin.batch_norm.momentum),
        "parameters": json.dumps(origin.parameters),
    }


def _check(path: Path, tensors: Mapping[str, Tensor], expected: Mapping[str, torch.Size]) -> None:
    """All expected tensors are there, of their shapes, and finite."""
    missing = [name for name in expected if name not in tensors]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise PlainError(f"{path}: {len(missing)} tensors are missing: {', '.join(missing[:3])}{more}")
    for name, shape in expected.items():
        found = tensors[name].shape
        if found != shape:
            hint = "; its vocabulary has another number of actions" if name.startswith(_SIZED_BY_ACTIONS) else ""
            raise PlainError(f"{path}: {name}: found {tuple(found)}, expected {tuple(shape)}{hint}")
    finite.check(path, tensors)
