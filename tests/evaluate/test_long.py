"""A minute of 1080p goes through copying and testing within the bounds of params.yaml, and memory does not follow."""

import subprocess
from functools import partial
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from pipeline.clips.prepare import copy_frames, line_of
from pipeline.evaluate.views import view_reader
from pipeline.foundations.media.decoder import end_idle
from pipeline.foundations.media.guard import Guard
from tests.presets import preset_params

FRAMES = 10
"""A second, of 30 ticks."""
SHORT, LONG = 6, 60
GROWTH = {"jpeg": 70, "h264": 30, "views": 140}
"""Megabytes: of copies, their own bytes; of views, the quarter of media.memory_mb up to which pictures are kept."""


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> dict[int, Path]:
    """1920 x 1080, of some seconds each."""
    folder = tmp_path_factory.mktemp("long")
    for seconds in (SHORT, LONG):
        source = f"testsrc2=size=1920x1080:rate={FRAMES}:duration={seconds}"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", source]
        encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-crf", "35"]
        subprocess.run([*command, *encoder, folder / f"{seconds}.mp4"], check=True)
    return {seconds: folder / f"{seconds}.mp4" for seconds in (SHORT, LONG)}


def peak_mb(guard: Guard) -> float:
    lines = Path(f"/proc/{guard.process()}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3


@pytest.mark.slow
@pytest.mark.parametrize("what", ["jpeg", "h264", "views"])
def test_a_minute_of_1080p_is_read_in_the_memory_of_six_seconds(videos, params, what):
    media, params = params.media, preset_params("charades")
    clips = params.clips.model_copy(update={"codec": "jpeg" if what == "views" else what})
    fps, scaling = line_of(params.frames, clips)
    copy = partial(copy_frames, fps=fps, scaling=scaling, clips=clips)
    read = view_reader(params.frames, params.evaluate) if what == "views" else copy
    peaks = {}
    for seconds, path in videos.items():
        end_idle()
        with Guard(media) as guard:
            found = guard.call(read, path, media)
            peaks[seconds] = peak_mb(guard)
        if what == "views":
            assert found.places.shape == (10, 8)
            assert found.places.max() == len(found.pixels) - 1 == len(np.unique(found.places)) - 1
        else:
            assert (len(found.stored), found.height, found.width) == (30 * seconds, 192, 341)
    assert peaks[LONG] - peaks[SHORT] < GROWTH[what]
    assert peaks[LONG] < media.memory_mb
