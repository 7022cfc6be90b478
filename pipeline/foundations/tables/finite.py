"""Refuse weights that are not finite: NaN would spread through everything computed from them."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from pipeline.foundations.runtime.errors import PlainError


def check(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors with NaN or an infinity in them.

    Raises:
        PlainError: one has; it is named with the file.
    """
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise PlainError(f"{path}: {name}: has values that are not finite")
