"""Whether hosts answer: a server of this machine, and a port where nobody is."""

import pytest

from pipeline.foundations.runtime import network
from pipeline.foundations.runtime.network import ask_aside, unreachable
from tests.loopback import serving


@pytest.fixture(autouse=True)
def _asked_anew():
    network._answers.cache_clear()


def test_a_host_that_answers_whatever_it_says_is_reachable():
    with serving() as server:
        assert unreachable(f"{server.url}/no/such/file") == ""


def test_a_host_that_does_not_is_named_and_asked_once(monkeypatch):
    assert unreachable("http://127.0.0.1:9/weights.pth") == "127.0.0.1:9"
    monkeypatch.setattr("requests.head", None)
    assert unreachable("http://127.0.0.1:9/other.pth") == "127.0.0.1:9"


def test_hosts_are_asked_aside_and_those_that_are_silent_told():
    told = []
    with serving() as server:
        addresses = {"vggish.handle": "http://127.0.0.1:9/vggish", "backbone.weights": f"{server.url}/file.pth"}
        thread = ask_aside(addresses, lambda key, host: told.append((key, host)))
        assert thread.daemon
        thread.join()
    assert told == [("vggish.handle", "127.0.0.1:9")]
