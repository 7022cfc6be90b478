"""The peers of sound hear what we hear."""

import numpy as np
import pytest

from pipeline.audio.silence import judge
from pipeline.bench.sound import decode_by_ffmpeg, judge_by_ffmpeg, programs
from pipeline.foundations.media.faults import NoAudioStream
from pipeline.foundations.media.sound import read_sound

BUILDS = pytest.mark.parametrize("those", programs(), ids=lambda those: those.build)


@BUILDS
def test_ffmpegs_samples_are_ours(corpus, those):
    clip = corpus.sounding[0]
    ours, theirs = read_sound(clip, corpus.params.media).samples, decode_by_ffmpeg(clip, those.ffmpeg)
    assert len(ours) == pytest.approx(len(theirs), abs=400)  # it drops the padding of the last AAC frame
    common = min(len(ours), len(theirs))
    assert np.abs(ours[:common] - theirs[:common]).max() < 2e-3


@BUILDS
def test_ffmpegs_verdicts_are_ours(corpus, those):
    heard = [judge_by_ffmpeg(clip, those) for clip in corpus.clips]
    for clip, (stream, silent) in zip(corpus.clips, heard, strict=True):
        if stream:
            sound = judge(read_sound(clip, corpus.params.media).samples, corpus.params.filter_silent)
            assert silent == (sound.verdict != "audible")
        else:
            with pytest.raises(NoAudioStream):
                read_sound(clip, corpus.params.media)
    assert sorted(heard) == [(False, True), (True, False), (True, False), (True, False), (True, True)]
