"""The peers of the loader and of testing show what we show."""

import av
import numpy as np
import pytest

from pipeline.bench.pictures import decode_example, decode_view, examples_of, of_paper, sources_of
from pipeline.evaluate.views import views
from pipeline.foundations.media.frames import read_frames
from pipeline.train.data import Pick


@pytest.fixture(scope="module")
def paper(corpus):
    return of_paper(corpus.params)


def test_clips_are_of_the_papers_rate_whatever_the_samples(corpus, paper):
    assert corpus.params.frames.fps != paper.frames.fps == 30
    for clip in corpus.pictures:
        with av.open(str(clip)) as container:
            stream = container.streams.video[0]
            assert (stream.frames, stream.average_rate, stream.width, stream.height) == (90, 30, 340, 256)
            assert len(container.streams.audio) == 1


@pytest.mark.parametrize("careful", [False, True])
def test_a_view_that_is_decoded_alone_is_that_of_the_whole_video(corpus, paper, careful):
    clip = corpus.pictures[0]
    pixels = read_frames(clip, paper.media, fps=paper.frames.fps, short_side=paper.evaluate.short_side).pixels
    ours = views(pixels, paper.frames, paper.evaluate)
    assert ours.shape == (30, 8, 128, 128, 3)
    for number in (0, 1, 14, 29):
        theirs = decode_view(clip, number, paper.frames, paper.evaluate, careful=careful)
        assert np.abs(ours[number].astype(int) - theirs).mean() < 1


def test_both_loaders_make_examples_of_one_form(corpus, paper, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    ours = examples_of(sources_of(corpus.pictures), tmp_path / "clips", paper)[Pick(0, 0)].pictures
    for careful in (False, True):
        random = np.random.default_rng(0)
        theirs = decode_example(corpus.pictures[0], paper.frames, paper.train, random, careful=careful)
        assert theirs.shape == tuple(ours.shape) == (8, 112, 112, 3)
        assert theirs.dtype == np.uint8
