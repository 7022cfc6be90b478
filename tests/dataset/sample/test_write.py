"""Written files: H.264 and AAC, in step, without a trace of time or version, the same bytes each time."""

import av
import numpy as np
import pytest

from pipeline.dataset.sample.write import write_video
from pipeline.foundations.runtime.errors import PlainError

WIDTH, HEIGHT, FRAMES, RATE = 64, 48, 15, 44_100


@pytest.fixture
def frames():
    """A bright bar that walks to the right, as planes Y, U and V."""
    luma = np.full((FRAMES, HEIGHT, WIDTH), 60, dtype=np.uint8)
    for time in range(FRAMES):
        luma[time, :, 2 * time : 2 * time + 12] = 200
    chroma = np.full((FRAMES, HEIGHT * WIDTH // 2), 128, dtype=np.uint8)
    chroma[:, : HEIGHT * WIDTH // 4] = 100
    return np.concatenate([luma.reshape(FRAMES, -1), chroma], axis=1)


@pytest.fixture
def beep():
    """Half a second: silence, then from 0.25 s a tone of 1 kHz."""
    time = np.arange(RATE // 2) / RATE
    return (8000 * np.sin(2 * np.pi * 1000 * time) * (time >= 0.25)).astype(np.int16)


@pytest.fixture
def write(tmp_path, frames):
    def call(sound, name="a.mp4"):
        write_video(tmp_path / name, frames, size=(WIDTH, HEIGHT), fps=30, sound=sound, rate=RATE)
        return tmp_path / name

    return call


def test_frames_come_back_as_they_were(write, frames):
    with av.open(write(None)) as file:
        decoded = [frame.to_ndarray() for frame in file.decode(video=0)]  # yuv420p: the planes, one below the other
        assert not file.streams.audio
    assert len(decoded) == FRAMES
    difference = np.abs(np.array(decoded).reshape(FRAMES, -1).astype(int) - frames)
    assert difference.mean() < 2
    assert np.percentile(difference, 99) < 20


def test_sound_comes_back_in_step(write, beep):
    with av.open(write(beep)) as file:
        assert file.streams.audio[0].codec_context.name == "aac"
        decoded = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])[: len(beep)]
    expected = beep / 32768
    assert np.abs(decoded - expected).max() < 0.05
    start = np.argmax(np.abs(decoded) > 0.1) / RATE
    assert start == pytest.approx(0.25, abs=0.002)


def test_the_same_input_gives_the_same_bytes(write, beep):
    assert write(beep, "a.mp4").read_bytes() == write(beep, "b.mp4").read_bytes()


def test_the_container_tells_no_time_and_no_version(write, beep):
    path = write(beep)
    assert b"Lavf" not in path.read_bytes()
    with av.open(path) as file:
        assert "creation_time" not in file.metadata
        assert "encoder" not in file.metadata


def test_only_the_video_is_left(write, beep, tmp_path):
    write(beep)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_refusal_names_the_file_and_gives_ffmpegs_reason(frames, tmp_path):
    with pytest.raises(PlainError, match=r"absent/a\.mp4: ffmpeg cannot write it: .*No such file"):
        write_video(tmp_path / "absent/a.mp4", frames, size=(WIDTH, HEIGHT), fps=30, sound=None, rate=RATE)
