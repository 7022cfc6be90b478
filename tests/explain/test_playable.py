"""Clips with sound for a page: which, and what is in them."""

from functools import partial

import av
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from pipeline.audio.logmel import RATE, samples_for
from pipeline.dataset.sample.write import write_video
from pipeline.evaluate.testing import Video
from pipeline.explain.playable import choose_lending, choose_scored, heard_picture, write_playable, yuv420
from pipeline.foundations.runtime import files
from pipeline.foundations.tables import tables


def predictions(scores, actions):
    columns = {"video_id": [f"v{n}" for n in range(len(actions))], "actions": actions, "scores": np.float32(scores)}
    return tables.from_columns("predictions", columns)


def test_the_best_and_the_worst_of_each_action_come_in_turn_after_those_that_are_drawn():
    table = predictions([[0.9, 0.1], [0.2, 0.3], [0.8, 0.6], [0.5, 0.2], [0.1, 0.9]], [[0], [0], [1], [0, 1], [0]])
    # action 0: best v0, worst v4, best of others v2; action 1: best v2, worst v3, best of others v4
    assert choose_scored(table, [], 9) == ["v0", "v2", "v4", "v3"]
    assert choose_scored(table, ["v1"], 9) == ["v1", "v0", "v2", "v4", "v3"]
    assert choose_scored(table, ["v1"], 2) == ["v1", "v0"]


def test_an_action_without_a_video_brings_the_best_of_others_alone():
    assert choose_scored(predictions([[0.9, 0.4], [0.2, 0.6]], [[0], [0]]), [], 9) == ["v0", "v1"]


def test_an_action_is_heard_in_the_video_with_the_fewest_actions_beside_it():
    lexicon = pa.table({"action_id": [0, 0, 1, 1, 2], "video_id": ["a", "b", "a", "c", "a"]})
    assert choose_lending(lexicon) == ["b", "c", "a"]
    assert choose_lending(lexicon, 1) == ["b"]


def test_planes_are_those_of_the_picture():
    grey, red = np.full((4, 6, 3), 128, np.uint8), np.zeros((4, 6, 3), np.uint8)
    red[..., 0] = 255
    first, second = yuv420(np.stack([grey, red]))
    assert first.shape == (4 * 6 * 3 // 2,)
    assert np.ptp(first) <= 3  # Y, U and V of a grey are all about 128, but Y is squeezed to 16 to 235
    luma, blue, redness = second[:24], second[24:30], second[30:]
    assert abs(int(luma.mean()) - 81) <= 2  # BT.601: 16 + 65.5
    assert abs(int(blue.mean()) - 90) <= 2
    assert abs(int(redness.mean()) - 240) <= 2


def test_the_picture_shows_each_patch_with_low_bands_below():
    tone = np.sin(2 * np.pi * 300 * np.arange(samples_for(3)) / RATE)
    picture = heard_picture(np.float32(tone))
    assert picture.shape == (64, 3 * 96 + 2 * 2, 4)
    bright = picture[:, 10, :3].sum(axis=-1)
    assert bright.argmax() > 48
    assert picture[:, 96:98].sum() == 0  # clear between two patches


def test_a_short_sound_ends_dark():
    picture = heard_picture(np.float32(np.random.default_rng(0).normal(size=16000)))
    assert picture[:, :60, :3].sum() > 5 * picture[:, -60:, :3].sum()


@pytest.fixture
def video(tmp_path):
    frames = np.random.default_rng(1).integers(60, 180, (20, 32 * 48 * 3 // 2), np.uint8)
    sound = (9000 * np.sin(np.arange(32000) * 0.1)).astype(np.int16)

    def make(name, with_sound):
        path = tmp_path / f"{name}.mp4"
        write_video(path, frames, size=(48, 32), fps=10, sound=sound if with_sound else None, rate=RATE)
        return Video(name, str(path), path.stat().st_size, files.sha256(path), (0,))

    return make


@pytest.fixture
def write(small, tmp_path):
    return partial(write_playable, frames=small.frames, short_side=24, media=small.media)


def test_clips_hold_the_pictures_and_the_sound(video, write, tmp_path):
    known = {name: video(name, with_sound) for name, with_sound in (("heard", True), ("mute", False))}
    heard, mute = write(tmp_path / "out", known, ["mute", "heard", "mute"]).to_pylist()
    assert (heard["video_id"], mute["video_id"], mute["heard"]) == ("heard", "mute", "")
    with av.open(str(tmp_path / "out" / heard["clip"])) as clip:
        assert (clip.streams.video[0].codec.name, clip.streams.audio[0].codec.name) == ("h264", "aac")
        assert len(list(clip.decode(video=0))) == 20
        clip.seek(0)
        samples = np.concatenate([frame.to_ndarray()[0] for frame in clip.decode(audio=0)])
    assert np.abs(samples).max() > 0.1
    with av.open(str(tmp_path / "out" / mute["clip"])) as clip:
        assert not clip.streams.audio
    assert Image.open(tmp_path / "out" / heard["heard"]).size == (292, 64)


def test_the_same_video_gives_the_same_bytes(video, write, tmp_path):
    known = {"v": video("v", True)}
    for name in ("one", "two"):
        write(tmp_path / name, known, ["v"])
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_a_video_that_has_changed_is_left_out_and_said_to_be(video, write, tmp_path, capfd):
    known = {"v": video("v", True)._replace(sha256="0" * 64)}
    assert write(tmp_path / "out", known, ["v"]).num_rows == 0
    assert "v: the report will have no clip of it: changed since `index`" in capfd.readouterr().err
