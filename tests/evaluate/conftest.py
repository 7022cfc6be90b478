"""Small videos, the table that indexes them, and a small model in a folder."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from pipeline import files
from pipeline.evaluate.testing import Video
from pipeline.nn.model import build_model
from pipeline.params import Evaluate, Execution, Params
from pipeline.train.checkpoint import Description, save_model

ACTIONS = ("applauding", "diving", "playing+music", "singing", "swimming")


@pytest.fixture
def evaluate(params: Params) -> Evaluate:
    """Few and small views; two batches of five for six views."""
    changes = {"temporal_views": 2, "spatial_views": 3, "short_side": 24, "crop": 24, "batch": 5, "shard_size": 3}
    return params.evaluate.model_copy(update={**changes, "combine": "max", "max_failure_rate": 0.5})


@pytest.fixture
def execution(params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Execution:
    """One process, on the CPU; work in progress below the test's own folder."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return params.execution.model_copy(update={"workers": 1, "device": "cpu"})


@pytest.fixture
def model_folder(params: Params, tmp_path: Path) -> Path:
    """A seeded, untrained visual model of five actions."""
    torch.manual_seed(0)
    sections = {"model": params.model.model_copy(update={"heads": ("visual",)}), "transformer": params.transformer}
    sections |= {"gcn": params.gcn.model_copy(update={"hidden": 16})}
    backbone = params.backbone.model_copy(update={"name": "r3d_tiny", "weights": None})
    model = build_model(
        backbone=backbone, actions=5, adjacency=torch.eye(5), audio_forms=None, text_forms=None, **sections
    )
    description = Description(
        actions=ACTIONS,
        frames=params.frames.model_copy(update={"fps": 10.0, "span": 8, "count": 4}),
        backbone=backbone,
        lexicon=params.lexicon,
        normalization="paper",
        audio_size=None,
        text_size=None,
        batch_norm=model.batch_norm,
        **sections,
    )
    save_model(tmp_path / "model", model, description)
    return tmp_path / "model"


@pytest.fixture
def video_of(tmp_path: Path) -> Callable[..., Video]:
    """Write a video of moving noise, or of given bytes."""

    def make(video_id: str, *, seed: int = 0, frames: int = 12, content: bytes | None = None) -> Video:
        path = tmp_path / f"{video_id}.avi"
        if content is None:
            _write(path, np.random.default_rng(seed).integers(0, 256, (frames, 32, 48, 3), dtype=np.uint8))
        else:
            path.write_bytes(content)
        return Video(video_id, str(path), path.stat().st_size, files.sha256(path), (seed % 5,))

    return make


def _write(path: Path, pixels: np.ndarray) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = pixels.shape[2], pixels.shape[1]
        pictures = [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in pixels]
        for picture in [*pictures, None]:
            for packet in stream.encode(picture):
                container.mux(packet)
