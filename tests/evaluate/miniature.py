"""A small untrained model in a folder, and small videos of moving noise."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import torch

from pipeline.foundations.params import Params
from pipeline.model.checkpoint import Description, save_model
from pipeline.model.design import Design
from pipeline.model.model import build_model
from tests.train.miniature import changed

ACTIONS = ("applauding", "diving", "playing+music", "singing", "swimming")


def write_model(folder: Path, params: Params) -> None:
    """A seeded visual model of five actions, whose clips are 4 frames of 8 at 10 fps."""
    torch.manual_seed(0)
    changes = {
        "model": {"heads": ("visual",)},
        "gcn": {"hidden": 16},
        "backbone": {"name": "r3d_tiny"},
        "frames": {"fps": 10.0, "span": 8, "count": 4},
    }
    design = replace(Design.of(changed(params, changes)), normalization="paper")
    model = build_model(
        design,
        actions=5,
        adjacency=torch.eye(5),
        audio_forms=None,
        text_forms=None,
    )
    description = Description(
        actions=ACTIONS, design=design, audio_size=None, text_size=None, batch_norm=model.batch_norm
    )
    save_model(folder, model, description)


def write_video(path: Path, *, seed: int, frames: int = 12) -> None:
    """An AVI of 48 x 32 pixels at 10 fps."""
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, 32, 48, 3), dtype=np.uint8)
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = pixels.shape[2], pixels.shape[1]
        pictures = [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in pixels]
        for picture in [*pictures, None]:
            for packet in stream.encode(picture):
                container.mux(packet)
