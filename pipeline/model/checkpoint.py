"""A trained model as a folder: its weights, and the description that rebuilds it.

model.safetensors    weights, batch norm statistics, node forms and the normalized adjacency
model.json           the actions by id, the design, and what else it takes to read the weights
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor
from torch.overrides import TorchFunctionMode

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import atomic_write
from pipeline.foundations.tables import finite
from pipeline.model.backbones import BatchNorm
from pipeline.model.design import Design
from pipeline.model.model import MultiActionModel, build_model

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"
OPTIONAL = ("feature_size", "sound_size", "features")
"""Entries of a description that are omitted if None."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """The description of a model, kept beside its weights."""

    actions: tuple[str, ...]
    """Names, by id."""
    design: Design
    audio_size: int | None
    text_size: int | None
    """Columns of the node forms; None where no learner uses them."""
    batch_norm: BatchNorm
    feature_size: int | None = None
    """C, where the features are imported."""
    sound_size: int | None = None
    """Width of a video's own embedding, with late fusion."""
    features: dict[str, str] | None = None
    """Description of imported features; None with a 3D-CNN."""


def save_model(folder: Path, model: MultiActionModel, description: Description) -> None:
    """Write a model as `folder`, atomically."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with atomic_write(folder) as draft:
        draft.mkdir()
        (draft / WEIGHTS).write_bytes(save(tensors))
        text = json.dumps(_to_json(description), indent=2, ensure_ascii=False)
        (draft / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def load_model(folder: Path) -> tuple[MultiActionModel, Description]:
    """Read a model that `save_model` wrote; on the CPU, in evaluation mode.

    Raises:
        PlainError: a file is absent or damaged, the two do not fit each other, or a weight is not finite.
    """
    description = description_of(folder)
    try:
        # Copies lie in memory as a trained model's tensors do; on the file's own alignment, last bits can differ.
        tensors = {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}
    except (OSError, SafetensorError) as error:
        raise PlainError(f"{folder}: no model can be read there: {error}; run `dvc repro train`") from error
    finite.check(folder / WEIGHTS, tensors)
    model = _bare(description)
    try:
        model.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        raise PlainError(f"{folder}: weights and description do not fit: {' '.join(str(error).split())}") from error
    model.batch_norm = description.batch_norm
    return model.eval(), description


def description_of(folder: Path) -> Description:
    """The description of a model that `save_model` wrote.

    Raises:
        PlainError: there is none, or its description is not one.
    """
    try:
        content = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise TypeError("not a mapping of names to values")
        if unknown := sorted(content.keys() - {field.name for field in fields(Description)}):
            raise PlainError(
                f"{folder / DESCRIPTION}: not a model's description as this version writes it, for {unknown[0]} is "
                "none of its entries; train again: dvc repro train"
            )
        return _from_json(content)
    except OSError as error:
        raise PlainError(f"{folder}: no model can be read there: {error}; run `dvc repro train`") from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise PlainError(
            f"{folder / DESCRIPTION}: not a model's description: {' '.join(str(error).split())}"
        ) from error


class _Undrawn(TorchFunctionMode):
    """Inside, no normal values are drawn: without data there are none, and PyTorch would import its compiler for it."""

    def __torch_function__(
        self, func: Callable[..., Any], _: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return args[0] if func is Tensor.normal_ else func(*args, **(kwargs or {}))


def _bare(description: Description) -> MultiActionModel:
    """The model without values: no memory, no time, no random draws."""
    actions, design = len(description.actions), description.design
    with torch.device("meta"), _Undrawn():
        return build_model(
            design,
            actions=actions,
            adjacency=torch.empty(actions, actions),
            audio_forms=None if description.audio_size is None else torch.empty(actions, description.audio_size),
            text_forms=None if description.text_size is None else torch.empty(actions, description.text_size),
            features=description.feature_size,
            sound=description.sound_size,
        )


def _to_json(description: Description) -> dict[str, Any]:
    sizes = {name: size for name in OPTIONAL if (size := getattr(description, name)) is not None}
    rest = {name: value for name, value in vars(description).items() if name not in OPTIONAL}
    return rest | {
        "design": description.design.to_json(),
        "batch_norm": description.batch_norm._asdict(),
        **sizes,
    }


def _from_json(content: dict[str, Any]) -> Description:
    design, batch_norm = Design.from_json(content["design"]), BatchNorm(**content["batch_norm"])
    return Description(**content | {"actions": tuple(content["actions"]), "design": design, "batch_norm": batch_norm})
