"""Published word vectors, from a server with gensim-data's layout."""

import gzip
import hashlib

import pytest

from pipeline.foundations.runtime.errors import PlainError
from pipeline.weights import gensim_data
from pipeline.weights.downloads import http

VECTORS = gzip.compress(b"2 3\nsinging 1 2 3\ndancing 4 5 6\n")


@pytest.fixture(autouse=True)
def _published(loopback, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(http, "PAUSES", ())
    monkeypatch.setattr(gensim_data, "RELEASES", loopback.url + "/releases/download")
    monkeypatch.setitem(gensim_data.PINS, "glove-wiki-gigaword-50", "md5=" + hashlib.md5(VECTORS).hexdigest())


def test_a_model_is_fetched_by_its_name_and_checked(loopback):
    loopback.put("/releases/download/glove-wiki-gigaword-50/glove-wiki-gigaword-50.gz", VECTORS)
    download = gensim_data.fetch_vectors("glove-wiki-gigaword-50")
    assert download.path.read_bytes() == VECTORS
    assert download.pinned


def test_another_file_under_that_name_is_refused(loopback):
    loopback.put("/releases/download/glove-wiki-gigaword-50/glove-wiki-gigaword-50.gz", VECTORS + b"!")
    with pytest.raises(PlainError, match="wrong md5"):
        gensim_data.fetch_vectors("glove-wiki-gigaword-50")


def test_an_unknown_name_lists_those_that_are_known():
    with pytest.raises(
        PlainError,
        match=r"words\.name is 'glove', which gensim-data does not have; choose one of .*glove-wiki-gigaword-300",
    ):
        gensim_data.fetch_vectors("glove")


def test_the_code_that_gensims_downloader_would_run_is_never_asked_for(loopback):
    loopback.put("/releases/download/glove-wiki-gigaword-50/glove-wiki-gigaword-50.gz", VECTORS)
    gensim_data.fetch_vectors("glove-wiki-gigaword-50")
    assert [path.rsplit("/", 1)[-1] for path, _ in loopback.asked] == ["glove-wiki-gigaword-50.gz"]
