"""The decoding process without its sandbox decodes the same, and is never taken for one with it."""

import numpy as np

from pipeline.bench.open_child import LEFT_OUT
from pipeline.bench.sandbox import Open, sandboxed
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.media.sound import read_sound


def test_with_and_without_the_sandbox_the_samples_are_the_same(corpus):
    media, clip = corpus.params.media, corpus.sounding[0]
    with Open(media) as guard:
        assert [lack.split(": ")[1] for lack in guard.sandbox_status().lacking()] == [LEFT_OUT] * 3
        samples = guard.call(read_sound, clip, media).samples
        left_open = guard.process()
    with Guard(media) as guard:
        assert LEFT_OUT not in str(guard.sandbox_status())
        assert guard.process() != left_open
        assert np.array_equal(guard.call(read_sound, clip, media).samples, samples)


def test_the_row_is_by_clips_a_second(corpus, monkeypatch):
    monkeypatch.setattr("pipeline.bench.sandbox.REPEATS", 1)
    (found,) = sandboxed(corpus)
    assert (found.name, found.unit, found.bound) == ("sandbox", "clips/s", "at least")
    assert found.ours > 0
    assert found.theirs > 0
