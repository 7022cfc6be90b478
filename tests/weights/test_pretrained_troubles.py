"""Every source of weights, fetched by the stage's own code, in every trouble that the way to it has."""

import resource
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from pipeline.foundations.params import Backbone, Vggish, Words
from pipeline.foundations.runtime.errors import PlainError
from pipeline.weights import downloads, gensim_data, pretrained
from pipeline.weights.downloads import http

SEEDED = Vggish(source="seeded", handle="", short="pad", mixed_precision=False, max_failure_rate=0.0, shard_size=1)
DATA = bytes(range(256)) * 12_000  # 3 MB
PIN = "#sha256=" + "0" * 64


class Source(NamedTuple):
    """A kind of weights that comes over the network."""

    path: str
    """Below the server's address."""
    section: str
    of: Callable[[str], Any]
    """The section of params.yaml that asks for an address."""


SOURCES = {
    "VGGish of TensorFlow Hub": Source(
        "/google/vggish/1?tf-hub-format=compressed",
        "vggish",
        lambda address: Vggish(
            source="hub", handle=address.replace("?tf-hub-format=compressed", "") + PIN, short="pad",
            mixed_precision=False, max_failure_rate=0.0, shard_size=1,
        ),
    ),
    "GloVe of gensim-data": Source(
        "/releases/glove-wiki-gigaword-300/glove-wiki-gigaword-300.gz",
        "words",
        lambda _: Words(source="gensim", name="glove-wiki-gigaword-300", size=300, prompts=(), pooling="mean"),
    ),
    "R(2+1)D-34 of ig65m-pytorch": Source(
        "/v1.0.0/r2plus1d_34_clip8_ft_kinetics_from_ig65m-0aa0550b.pth",
        "backbone",
        lambda address: Backbone(name="r2plus1d_34", weights=address, pooling="global"),
    ),
}  # fmt: skip


@pytest.fixture(params=SOURCES)
def source(request) -> Source:
    return SOURCES[request.param]


@pytest.fixture
def ask(root, tmp_path, monkeypatch, source):
    """Fetch the weights of one source from a server; all others are at hand. Nothing may be left but `left`."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(http, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(pretrained, "seeded_weights", lambda _: {})
    at_hand = {
        "vggish": SEEDED,
        "words": Words(
            source="file", name=str(root / "data/external/glove.6B.100d.mmit.txt"), size=100, prompts=(), pooling="mean"
        ),
        "backbone": Backbone(name="r2plus1d_34", weights=None, pooling="global"),
    }

    def fetch(server: str, message: str, *, left: tuple[str, ...] = ()) -> None:
        monkeypatch.setattr(gensim_data, "RELEASES", f"{server}/releases")
        address = server + source.path
        sections = at_hand | {source.section: source.of(address)}
        with pytest.raises(PlainError, match=message) as caught:
            pretrained.fetch(
                tmp_path / "pretrained", seed=1, actions={"singing": ["singing"]},
                recording=root / "data/external/speech_16khz.wav", **sections,
            )  # fmt: skip
        assert address.split("?")[0] in str(caught.value) or "cannot be written" in str(caught.value)
        files = {path.name for path in tmp_path.rglob("*") if path.is_file()} - {".lock"}
        assert files == {downloads.place_of(address).name + suffix for suffix in left}

    return fetch


def test_a_dead_proxy(ask, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    ask("http://weights.invalid", "the proxy does not let us through; see HTTPS_PROXY, HTTP_PROXY and NO_PROXY")


def test_a_connection_that_breaks_again_and_again(ask, source, loopback):
    loopback.put(source.path, DATA, breaks=[1_500_000, 0, 0])
    ask(loopback.url, r"the connection breaks; 1,\d+,\d+ bytes are kept, run again", left=(".part", ".part.version"))


def test_another_file_than_the_published_one(ask, source, loopback):
    loopback.put(source.path, DATA)
    ask(loopback.url, r"wrong (sha256|md5): found \w+, expected \w+; it was removed. Try again")


def test_a_disk_that_fills_up(ask, source, loopback, full_disk):
    loopback.put(source.path, DATA)
    with full_disk:
        ask(loopback.url, "cannot be written: the disk is full; it was removed. Make room, and try again")


def test_no_such_file(ask, loopback):
    ask(loopback.url, "the server answers 404 Not Found; is the name spelled as it is published")


def test_nobody_there(ask, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    ask("http://127.0.0.1:9", "127.0.0.1 cannot be reached; offline, put the file at ")


def test_a_disk_that_is_full_when_the_weights_are_whole(root, tmp_path, monkeypatch, full_disk):
    monkeypatch.setattr(pretrained, "seeded_weights", lambda _: {"w": np.zeros(500_000, np.float32)})
    sections = {
        "vggish": SEEDED,
        "words": Words(
            source="file", name=str(root / "data/external/glove.6B.100d.mmit.txt"), size=100, prompts=(), pooling="mean"
        ),
        "backbone": Backbone(name="r2plus1d_34", weights=None, pooling="global"),
    }
    folder = tmp_path / "pretrained"
    with full_disk, pytest.raises(PlainError, match=f"{folder}: cannot be written: File too large"):
        pretrained.fetch(folder, seed=1, actions={"singing": ["singing"]}, recording=root / "unused", **sections)
    assert not list(tmp_path.iterdir())


class _FullDisk:
    """While it is entered, the file system refuses to let a file grow past a megabyte, as if it were full."""

    def __enter__(self) -> None:
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, self.before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


@pytest.fixture
def full_disk() -> Iterator[_FullDisk]:
    """A disk to be full for a while."""
    return _FullDisk()
