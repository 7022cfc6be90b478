"""A folder of small videos, written with PyAV, one of them cut off."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.clips.prepare import Source
from pipeline.foundations.runtime.files import sha256


def write_gradient(path: Path, *, frames: int, width: int, height: int, level: int) -> None:
    """A still ramp from left to right whose green tells the video and whose blue tells the time."""
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 4_000_000
        for number in range(frames):
            picture = np.empty((height, width, 3), np.uint8)
            picture[..., 0] = np.linspace(0, 255, width)
            picture[..., 1] = level
            picture[..., 2] = 8 * number
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.fixture(scope="session")
def source_of() -> Callable[[Path], Source]:
    """A file as the table of videos knows it."""
    return lambda path: Source(path.stem, path, path.stat().st_size, sha256(path))


@pytest.fixture(scope="session")
def sources(tmp_path_factory, source_of) -> list[Source]:
    """Five videos of 20 frames, 64 x 48 or 48 x 64, and one that is cut off in the middle."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(5):
        width, height = (64, 48) if number % 2 == 0 else (48, 64)
        write_gradient(folder / f"v{number}.mp4", frames=20, width=width, height=height, level=40 * number)
    whole = (folder / "v0.mp4").read_bytes()
    (folder / "v2b.mp4").write_bytes(whole[: len(whole) // 2])
    return [source_of(path) for path in sorted(folder.iterdir())]
