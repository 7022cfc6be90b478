"""The rows that compare the codecs of training copies."""

import pytest

from pipeline.bench import copies as module
from pipeline.bench.pictures import of_paper, sources_of


@pytest.mark.slow
def test_h264_takes_fewer_bytes_and_is_a_little_further_from_the_pictures(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    sources, params = sources_of(corpus.pictures[:2]), of_paper(corpus.params)
    found = {codec: module.made(codec, sources, tmp_path / codec, params) for codec in ("jpeg", "h264")}
    assert found["h264"].kilobytes < found["jpeg"].kilobytes / 4
    assert found["jpeg"].decibels.min() > found["h264"].decibels.min() > 30
    assert len(found["h264"].examples) == 2
