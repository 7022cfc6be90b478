"""Whether hosts answer: a server of this machine, and a port where nobody is."""

import pytest

from pipeline.doctor import network, weights
from pipeline.doctor.network import unreachable
from tests.loopback import serving


@pytest.fixture(autouse=True)
def _asked_anew():
    network._answers.cache_clear()


def test_a_host_that_answers_whatever_it_says_is_reachable():
    with serving() as server:
        assert unreachable(f"{server.url}/no/such/file") == ""


def test_a_host_that_does_not_is_named_and_asked_once(monkeypatch):
    assert unreachable("http://127.0.0.1:9/weights.pth") == "127.0.0.1:9"
    monkeypatch.setattr(network.requests, "head", None)
    assert unreachable("http://127.0.0.1:9/other.pth") == "127.0.0.1:9"


def test_weights_to_come_from_a_host_that_cannot_be_reached_are_told(tmp_path, params, monkeypatch):
    monkeypatch.setattr(weights, "unreachable", lambda address: address.split("/")[2])
    words = params.words.model_copy(update={"source": "gensim", "name": "glove-wiki-gigaword-300"})
    backbone = params.backbone.model_copy(update={"weights": "https://host.invalid/a.pth#sha256=00000000"})
    changed = params.model_copy(update={"words": words, "backbone": backbone})
    found = {finding.subject: finding for finding in weights.sources(tmp_path, changed)}
    assert "github.com cannot be reached from here" in found["words"].found
    assert (
        found["backbone"].found
        == "not here yet, and host.invalid cannot be reached from here: https://host.invalid/a.pth"
    )
    assert "backbone.weights" in found["backbone"].advice
