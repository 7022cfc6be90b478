"""The rows that compare the codecs of training copies."""

import pytest

from pipeline.bench import copies as module
from pipeline.bench.corpus import Corpus
from pipeline.bench.pictures import of_paper, sources_of


@pytest.mark.slow
def test_h264_takes_fewer_bytes_and_is_a_little_further_from_the_pictures(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    sources, params = sources_of(corpus.pictures[:2]), of_paper(corpus.params)
    found = {codec: module.made(codec, sources, tmp_path / codec, params) for codec in ("jpeg", "h264")}
    assert found["h264"].kilobytes < found["jpeg"].kilobytes / 4
    assert found["jpeg"].decibels.min() > found["h264"].decibels.min() > 30
    assert len(found["h264"].examples) == 2


@pytest.mark.slow
def test_rows_of_real_clips_do_not_replace_those_of_rendered_ones(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(module, "REPEATS", 1)
    rows = module.copies(Corpus(tmp_path, corpus.params, given=tuple(corpus.pictures[:2])))
    assert [row.name for row in rows] == [
        "copies of given videos, bytes", "copies of given videos, read", "copies of given videos, likeness",
    ]  # fmt: skip
    assert all("2 given videos" in row.what for row in rows)
