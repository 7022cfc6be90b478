"""Rendering: whole or absent, the same bytes however it is run, files that decoders read."""

import os
import platform
import shutil
import subprocess
import sys
from fractions import Fraction
from hashlib import sha256

import av
import imageio_ffmpeg
import numpy as np
import pytest

from pipeline.dataset import mmit
from pipeline.dataset.sample import render as module
from pipeline.dataset.sample.plan import draw_plans
from pipeline.dataset.sample.render import render_sample, render_video
from pipeline.foundations.runtime.errors import PlainError

GOLDEN = {
    "playing+sports/clip-00000.mp4": "77de0e65f024196a27336508b7b5e6b3c7baaba2d0619ac9fddf480e9101af9a",
    "dancing/clip-00001.mp4": "65e9b7f5281db68ac9ca8ae740d7d186594e87f4a187d5ca7ce88743f3a138f9",
    "hammering/clip-00002.mp4": "e2d5cdd704e600ee7f680f1209e076b922716bfe488c162184630bde6d5bcd27",
}
GOLDEN_HIDDEN = {
    "playing+sports/clip-00000.mp4": "b5ef66d1fc77f3de4ae621a569c1937c432040b9fc9c81e8b4089222231e496a",
    "dancing/clip-00001.mp4": "9c957573b715a645ef54109141663677b7fe3743a393c59669c22905a57d13ab",
    "hammering/clip-00002.mp4": "e2d5cdd704e600ee7f680f1209e076b922716bfe488c162184630bde6d5bcd27",
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory, small, params):
    target = tmp_path_factory.mktemp("rendered") / "raw" / "sample"
    counts = render_sample(target, small, params.execution.model_copy(update={"workers": 1}))
    assert counts == {"intact": 2, "no audio stream": 1, "digital silence": 1, "below threshold": 1, "truncated": 1}
    return target


@pytest.fixture
def of_defect(sample, small):
    """The file of the video with a defect, or of one with none."""
    return {plan.defect: sample / "videos" / plan.path for plan in draw_plans(small)}


def test_the_layout_is_that_of_mmit(sample, files_of):
    found = mmit.read(sample)
    assert {video.split for video in found.videos} == {"train", "val", "test"}
    expected = {"moments_categories.txt", "trainingSet.txt", "validationSet.txt", "testSet.txt", "places.csv"}
    assert set(files_of(sample)) == expected | {f"videos/{video.path}" for video in found.videos}


def test_an_intact_video_is_h264_and_aac_at_15_frames(of_defect):
    with av.open(of_defect[None]) as file:
        [video], [audio] = file.streams.video, file.streams.audio
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height, video.average_rate, video.frames) == (80, 64, Fraction(15), 8)
        assert (audio.codec_context.name, audio.rate, audio.channels) == ("aac", 44_100, 1)
        assert abs(file.duration / av.time_base - 0.5) < 0.05


def test_defects_are_what_they_are_called(of_defect):
    with av.open(of_defect["no audio stream"]) as file:
        assert not file.streams.audio
    peaks = {}
    for defect in (None, "digital silence", "below threshold"):
        with av.open(of_defect[defect]) as file:
            peaks[defect] = max(abs(frame.to_ndarray()).max() for frame in file.decode(audio=0))
    assert peaks["digital silence"] == 0
    assert 0 < peaks["below threshold"] < 10 ** (-65 / 20)
    assert peaks[None] > 10 ** (-30 / 20)
    with pytest.raises(av.error.InvalidDataError):
        av.open(of_defect["truncated"])


def test_two_workers_write_the_same_bytes_as_one(sample, small, params, tmp_path, files_of, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    render_sample(tmp_path / "sample", small, params.execution.model_copy(update={"workers": 2}))
    assert files_of(tmp_path / "sample") == files_of(sample)


def test_a_failure_leaves_what_was_there(small, params, tmp_path, monkeypatch, files_of):
    def fail(*args, **kwargs):
        raise PlainError("the disk is full")

    target = tmp_path / "sample"
    target.mkdir()
    (target / "old.txt").write_text("old")
    monkeypatch.setattr(module, "run_tasks", fail)
    with pytest.raises(PlainError, match="the disk is full"):
        render_sample(target, small, params.execution)
    assert files_of(tmp_path) == {"sample/old.txt": b"old"}


ours = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="another ffmpeg than that of the digests"
)


@ours
@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize(("hidden", "golden"), [(0.0, GOLDEN), (0.35, GOLDEN_HIDDEN)])
def test_videos_of_the_committed_sample_have_these_very_bytes(number, hidden, golden, render, tmp_path):
    """On any x86-64 processor; a difference means another codec, another NumPy, or a float that crept in."""
    path, render = tmp_path / "video.mp4", render.model_copy(update={"hidden": hidden})
    plan = draw_plans(render)[number]
    render_video(path, plan, render)
    assert sha256(path.read_bytes()).hexdigest() == golden[plan.path]


def test_what_is_not_shown_is_heard_and_the_other_way_round(small, tmp_path):
    """A video of which nothing is shown is its backdrop; of which nothing is heard, the noise of its room."""
    small = small.model_copy(update={"hidden": 0.0})
    plan = next(plan for plan in draw_plans(small) if not plan.defect)
    reels, sounds = {}, {}
    for name, change in {"both": {}, "unseen": {"shown": ()}, "silent": {"heard": ()}}.items():
        path = tmp_path / f"{name}.mp4"
        render_video(path, plan._replace(**change), small)
        with av.open(path) as file:
            reels[name] = [frame.to_ndarray() for frame in file.decode(video=0)]
        with av.open(path) as file:
            sounds[name] = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    assert all((one == other).all() for one, other in zip(reels["both"], reels["silent"], strict=True))
    assert any((one != other).any() for one, other in zip(reels["both"], reels["unseen"], strict=True))
    assert (sounds["both"] == sounds["unseen"]).all()
    assert np.abs(sounds["silent"]).max() < np.abs(sounds["both"]).max() / 2


RENDER_ONE = """
import sys
from pathlib import Path
from pipeline.foundations.params import load_params
from pipeline.dataset.sample.plan import draw_plans
from pipeline.dataset.sample.render import render_video
render = load_params().render.model_copy(update={"hidden": 0.0})
render_video(Path(sys.argv[1]), draw_plans(render)[1], render)
"""
WITHOUT = {"Nehalem": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR", "Haswell": "X86_V4 AVX512_ICL AVX512_SPR"}
"""Processors, and what NumPy shall not use of this one to compute as they would."""


@ours
@pytest.mark.slow
@pytest.mark.parametrize("processor", WITHOUT)
def test_an_older_processor_renders_the_same_bytes(processor, root, tmp_path):
    """NumPy held to the processor's instructions, and ffmpeg run on it as QEMU emulates it, where there is QEMU."""
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": WITHOUT[processor], "PYTHONPATH": str(root)}
    if emulator := shutil.which("qemu-x86_64"):
        ffmpeg = tmp_path / "ffmpeg"
        ffmpeg.write_text(f'#!/bin/sh\nexec {emulator} -cpu {processor} {imageio_ffmpeg.get_ffmpeg_exe()} "$@"\n')
        ffmpeg.chmod(0o755)
        environment["IMAGEIO_FFMPEG_EXE"] = str(ffmpeg)
    path = tmp_path / "video.mp4"
    command = [sys.executable, "-W", "ignore", "-c", RENDER_ONE, str(path)]
    subprocess.run(command, cwd=root, env=environment, check=True)
    assert sha256(path.read_bytes()).hexdigest() == GOLDEN["dancing/clip-00001.mp4"]
