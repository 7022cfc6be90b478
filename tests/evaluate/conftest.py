"""Small videos, and a small model in a folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.evaluate.testing import Video
from pipeline.foundations.params import Evaluate, Execution, Params
from pipeline.foundations.runtime import files
from tests.evaluate.miniature import write_model, write_video


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
    write_model(tmp_path / "model", params)
    return tmp_path / "model"


@pytest.fixture
def video_of(tmp_path: Path) -> Callable[..., Video]:
    """Write a video of moving noise, or of given bytes."""

    def make(video_id: str, *, seed: int = 0, frames: int = 12, content: bytes | None = None) -> Video:
        path = tmp_path / f"{video_id}.avi"
        if content is None:
            write_video(path, seed=seed, frames=frames)
        else:
            path.write_bytes(content)
        return Video(video_id, str(path), path.stat().st_size, files.sha256(path), (seed % 5,))

    return make
