"""A gallery of small videos with sound, by a small network."""

import base64
import re

import av
import numpy as np
import pytest
import torch

from pipeline.evaluate.testing import score_video
from pipeline.explain.gradcam import Heat
from pipeline.foundations.media.frames import reader
from pipeline.foundations.runtime.errors import PlainError
from pipeline.model.checkpoint import load_model
from pipeline.report import gallery
from pipeline.report.gallery import open_recognizer, overlay_heat, read_labels, render, videos_of
from tests.browser import browsing
from tests.evaluate.miniature import ACTIONS, write_model

CPU = torch.device("cpu")


def write_clip(path, *, seed, seconds=1.2, sound=True):
    """MPEG-4 of 64 x 48 pixels at 10 fps, with a tone."""
    pixels = np.random.default_rng(seed).integers(0, 256, (round(10 * seconds), 48, 64, 3), dtype=np.uint8)
    with av.open(path, "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height = 64, 48
        audio = container.add_stream("aac", rate=16_000, layout="mono") if sound else None
        for picture in [*(av.VideoFrame.from_ndarray(each, format="rgb24") for each in pixels), None]:
            container.mux(video.encode(picture))
        if audio:
            tone = np.sin(np.arange(round(16_000 * seconds)) / 8).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            frame.sample_rate = 16_000
            for each in (frame, None):
                container.mux(audio.encode(each))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("gallery") / "videos"
    made.mkdir()
    write_clip(made / "b <two>.mp4", seed=1, sound=False)
    write_clip(made / "a.mp4", seed=0)
    (made / "broken.mp4").write_bytes(b"no video")
    (made / "notes.txt").write_text("not a video")
    return made


def open_small(params, tmp_path_factory, *, top, **views):
    """The recognizer of a small model, with its views and how many actions it names."""
    model = tmp_path_factory.mktemp("model") / "model"
    write_model(model, params)
    evaluate = params.evaluate.model_copy(update={"short_side": 32, "crop": 24} | views)
    return open_recognizer(model, evaluate, layer="layer3", top=top, device=CPU)


@pytest.fixture(scope="module")
def recognizer(params, tmp_path_factory):
    return open_small(params, tmp_path_factory, top=3, temporal_views=2, spatial_views=1, batch=2)


@pytest.fixture(scope="module")
def shown(folder, recognizer, params):
    return list(gallery.entries(videos_of(folder), recognizer, params.media, {"a.mp4": "singing; diving"}))


def test_videos_stand_by_name_and_nothing_else_does(folder):
    assert [path.name for path in videos_of(folder)] == ["a.mp4", "b <two>.mp4", "broken.mp4"]
    with pytest.raises(PlainError, match="not a folder"):
        videos_of(folder / "absent")
    with pytest.raises(PlainError, match="no videos here"):
        videos_of(folder.parent)


def test_the_actions_are_those_of_testing(shown, folder, recognizer, params):
    from pipeline.foundations.media.guard import Guard

    with Guard(params.media) as guard:
        pixels = guard.call(reader(recognizer.frames, 32), folder / "a.mp4", params.media).pixels
    scores = score_video(recognizer.network, pixels, recognizer.frames, recognizer.evaluate)
    best = np.argsort(-scores)[:3]
    assert [found.action for found in shown[0].actions] == [ACTIONS[number] for number in best]
    assert [found.score for found in shown[0].actions] == pytest.approx(scores[best], abs=1e-6)
    assert shown[0].labels == "singing; diving"


def test_a_video_that_cannot_be_read_has_a_reason(shown):
    broken = shown[2]
    assert "not a readable MP4" in broken.reason
    assert (broken.film, broken.actions) == ("", ())


def test_a_film_is_the_video_beside_its_heat_with_its_sound(shown, tmp_path):
    for entry, sound in ((shown[0], True), (shown[1], False)):
        kind, content = entry.film.split(";base64,")
        assert kind == "data:video/mp4"
        (tmp_path / "film.mp4").write_bytes(base64.b64decode(content))
        with av.open(tmp_path / "film.mp4") as film:
            pictures = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
            assert bool(film.streams.audio) == sound == (not entry.silent)
        assert len(pictures) == round(10 * entry.seconds)
        height, width = pictures[0].shape[:2]
        assert (height, width) == (gallery.HEIGHT, 2 * round(gallery.HEIGHT * 64 / 48))


def test_every_frame_lies_under_the_heat_shown_last():
    pixels = np.full((5, 4, 4, 3), 100, np.uint8)
    values = np.stack([np.zeros((4, 4)), np.ones((4, 4))])
    found = overlay_heat(pixels, Heat(np.array([0, 3]), values))
    assert (found[:3] == 100).all()
    assert (found[3:] != 100).any(axis=(1, 2, 3)).all()


def test_labels_come_by_file_from_a_table_with_tabs(tmp_path):
    table = tmp_path / "clips.tsv"
    table.write_text("file\tlabels\tseconds\na.mp4\tplaying cello;singing\t3\n")
    assert read_labels(table) == {"a.mp4": "playing cello;singing"}
    table.write_text("name,labels\n")
    with pytest.raises(PlainError, match=r"has the columns \['name,labels'\], but needs file and labels"):
        read_labels(table)


def test_a_layer_that_is_not_there_is_told(params, tmp_path):
    write_model(tmp_path / "model", params)
    assert "layer3" in dict(load_model(tmp_path / "model")[0].backbone.named_children())
    with pytest.raises(PlainError, match=r"--layer conv5: r3d_tiny has layer1 to layer4"):
        open_recognizer(tmp_path / "model", params.evaluate, layer="conv5", top=1, device=CPU)


def test_the_page_holds_all_it_shows_and_may_fetch_nothing(shown, recognizer):
    html = render(shown, recognizer, title="What <videos> show")
    assert "media-src data:" in html
    assert "&lt;two&gt;" in html
    assert "<two>" not in html
    assert "Examples, not a measurement" in html
    assert {address.split(":")[0] for address in re.findall(r'\bsrc="([^"]+)"', html)} == {"data"}
    assert html == render(shown, recognizer, title="What <videos> show")


def test_in_a_browser_films_play_on_a_desk_and_on_a_phone(shown, recognizer, tmp_path):
    page = tmp_path / "gallery.html"
    page.write_text(render(shown, recognizer, title="Videos"), encoding="utf-8")
    loaded = """Promise.all([...document.querySelectorAll('video')].map((film) => new Promise((done) => {
      if (film.readyState) done(film.videoWidth); film.onloadedmetadata = () => done(film.videoWidth);
      film.onerror = () => done(-1);
    })))"""
    with browsing(tmp_path / "profile") as browser:
        for width in (1280, 390):
            browser.open(page, width=width)
            assert browser.errors == []
            assert browser.ask(loaded) == [470, 470]
            assert browser.sticking_out() == []
