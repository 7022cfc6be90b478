"""A project on disk, as its first stages leave it."""

from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.foundations.runtime.files import sha256
from pipeline.foundations.tables import tables

ROOT = Path(__file__).resolve().parents[2]
SECONDS = {"hum": 3.0, "knock": 3.0, "nothing": 3.0, "short": 2.0}


@pytest.fixture
def sounding_project(tmp_path, monkeypatch) -> Path:
    """The current folder, with four indexed videos: a tone, noise, three seconds of zeros, and a shorter tone."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "params.yaml").read_text()
    text = text.replace("folder: data/raw ", "folder: . ").replace("sample/videos ", "videos ")
    Path("params.yaml").write_text(
        text.replace("workers: 2 ", "workers: 1 ").replace("shard_size: 32 ", "shard_size: 4 ")
    )
    Path("videos").mkdir()
    for name, seconds in SECONDS.items():
        _write_sound(Path(f"videos/{name}.avi"), _sound(name, int(16_000 * seconds)))
    paths = [Path(f"videos/{name}.avi") for name in SECONDS]
    columns = {
        "video_id": list(SECONDS),
        "path": [path.name for path in paths],
        "split": ["train", "train", "train", "val"],
        "actions": [[0]] * len(paths),
        "bytes": [path.stat().st_size for path in paths],
        "sha256": [sha256(path) for path in paths],
    }
    tables.write("videos", Path("data/index/videos.parquet"), tables.from_columns("videos", columns))
    return tmp_path


def _sound(name: str, samples: int) -> np.ndarray:
    if name == "knock":
        return np.random.default_rng(1).uniform(-0.3, 0.3, samples)
    amplitude = 0.0 if name == "nothing" else 0.3
    return amplitude * np.sin(2 * np.pi * 440 * np.arange(samples) / 16_000)


def _write_sound(path: Path, samples: np.ndarray) -> None:
    """An AVI of 16-bit PCM."""
    with av.open(path, "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        whole = np.round(samples * 32768).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(whole, format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
