"""Small videos made on the spot by the ffmpeg program, and the guarded process that reads them."""

import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest

from pipeline.foundations.media.decoder import end_idle
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.params import Media, Params

H264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 10"
Run = Callable[..., bytes]
Make = Callable[..., Path]


@pytest.fixture(scope="session")
def media(params: Params) -> Media:
    """The bounds as committed."""
    return params.media


@pytest.fixture(scope="session")
def guard(media: Media) -> Iterator[Guard]:
    with Guard(media) as guard:
        yield guard


@pytest.fixture
def hasty(media: Media) -> Media:
    return media.model_copy(update={"timeout_seconds": 0.5})


@pytest.fixture
def small(media: Media) -> Media:
    return media.model_copy(update={"memory_mb": 64})


@pytest.fixture
def fresh() -> Iterator[None]:
    """No child is left from earlier, and none stays."""
    end_idle()
    yield
    end_idle()


@pytest.fixture(scope="session")
def ffmpeg() -> Run:
    """Run the ffmpeg program; returns what it prints. Text is split as a shell would, a path is one argument."""

    def run(*arguments: str | Path) -> bytes:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), *shlex.split("-v error -nostdin -y")]
        for argument in arguments:
            command += [str(argument)] if isinstance(argument, Path) else shlex.split(argument)
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout

    return run


@pytest.fixture(scope="session")
def video(ffmpeg: Run) -> Make:
    """Write a video of a moving test picture (64 x 48, 10 fps) and a tone (440 Hz); `options` as ffmpeg's."""

    def make(
        path: Path, options: str = "", *, seconds: float = 1.0, picture: str | None = "64x48", sound: bool = True
    ) -> Path:
        inputs = ""
        if picture:
            inputs += f" -f lavfi -i testsrc2=size={picture}:rate=10:duration={seconds}"
        if sound:
            inputs += f" -f lavfi -i sine=frequency=440:sample_rate=44100:duration={seconds}"
        ffmpeg(inputs, H264 if picture and "-c:v" not in options else "", options, path)
        return path

    return make
