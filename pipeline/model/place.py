"""Put a model where it computes, in the way that is fastest there."""

import torch

from pipeline.model.model import MultiActionModel


def place(model: MultiActionModel, device: torch.device, *, mixed_precision: bool) -> None:
    """Move a model to a device; on a GPU with its channels innermost in memory, and its backbone in bfloat16.

    Args:
        model: changed in place.
        device: of all its weights.
        mixed_precision: whether a GPU may compute the backbone in bfloat16; a CPU never does.
    """
    model.to(device)
    if device.type == "cuda":
        model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        model.mixed_precision = mixed_precision
