"""Sounds, and videos that hold them."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.foundations.params import Execution
from pipeline.foundations.runtime import files
from pipeline.foundations.tables import tables

RATE = 16_000


@pytest.fixture
def tone() -> Callable[..., np.ndarray]:
    """A sine: float32 samples at 16 kHz."""

    def make(hertz: float = 440.0, seconds: float = 3.0, amplitude: float = 0.5) -> np.ndarray:
        return (amplitude * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)

    return make


def write_sound(path: Path, samples: np.ndarray) -> None:
    """An AVI of 16-bit PCM, which gives back what was written, to 1/32768."""
    with av.open(path, "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        whole = np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(whole, format="s16", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def write_pictures(path: Path) -> None:
    """An AVI of a few frames, without sound."""
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


@pytest.fixture
def videos_of(tmp_path: Path) -> Callable[..., Path]:
    """Write sounds as videos (None: without sound; bytes: as they are) and the table that indexes them."""

    def make(sounds: dict[str, np.ndarray | bytes | None], split: str = "train") -> Path:
        for name, sound in sounds.items():
            path = tmp_path / f"{name}.avi"
            if sound is None:
                write_pictures(path)
            elif isinstance(sound, bytes):
                path.write_bytes(sound)
            else:
                write_sound(path, sound)
        paths = [tmp_path / f"{name}.avi" for name in sounds]
        columns = {
            "video_id": list(sounds),
            "path": [path.name for path in paths],
            "split": [split] * len(sounds),
            "actions": [[0]] * len(sounds),
            "bytes": [path.stat().st_size for path in paths],
            "sha256": [files.sha256(path) for path in paths],
        }
        tables.write("videos", tmp_path / "videos.parquet", tables.from_columns("videos", columns))
        return tmp_path / "videos.parquet"

    return make


@pytest.fixture
def on_one_worker(params, tmp_path, monkeypatch) -> Execution:
    """One process, on the CPU; work in progress below the test's own folder."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return params.execution.model_copy(update={"workers": 1, "device": "cpu"})
