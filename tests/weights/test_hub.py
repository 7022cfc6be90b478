"""TensorFlow Hub's cache: local folders, archives, and archives that mean harm."""

import io
import random
import tarfile

import pytest

from pipeline.foundations.runtime.errors import PlainError
from pipeline.weights import downloads, hub
from pipeline.weights.downloads import http


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    monkeypatch.setattr(http, "PAUSES", ())


def archive(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


MODEL = {"./saved_model.pb": b"graph", "./variables/variables.index": b"index"}


def served(loopback, data: bytes) -> str:
    return loopback.put("/vggish/1?tf-hub-format=compressed", data).partition("?")[0]


def test_a_local_folder_is_used_as_it_is(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    assert hub.resolve(str(tmp_path)) == hub.Module(str(tmp_path), None)


@pytest.mark.parametrize("name", ["empty", "absent"])
def test_a_folder_without_a_model_is_named(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PlainError, match=rf"vggish\.handle: .*{name} has no saved_model\.pb"):
        hub.resolve(str(tmp_path / name))


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_an_archive_is_unpacked_where_tensorflow_hub_looks(loopback, tmp_path, mode):
    handle = served(loopback, archive(MODEL, mode))
    module = hub.resolve(handle)
    assert module == hub.Module(handle, tmp_path / ".cache/tfhub")
    (folder,) = (tmp_path / ".cache/tfhub").iterdir()
    assert (folder / "saved_model.pb").read_bytes() == b"graph"
    assert (folder / "variables/variables.index").read_bytes() == b"index"


def test_a_cache_that_the_user_keeps_is_used(loopback, tmp_path, monkeypatch):
    handle = served(loopback, archive(MODEL))
    hub.resolve(handle)
    (tmp_path / ".cache/tfhub").rename(tmp_path / "mine")
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "mine"))
    assert hub.resolve(handle).cache == tmp_path / "mine"
    assert len(loopback.asked) == 1


def test_a_pin_behind_the_handle_is_that_of_the_archive(loopback):
    handle = served(loopback, archive(MODEL))
    with pytest.raises(PlainError, match="wrong sha256"):
        hub.resolve(handle + "#sha256=" + "0" * 64)


@pytest.mark.parametrize(
    "data",
    [
        b"this is no archive",
        archive({"saved_model.pb": random.Random(0).randbytes(50_000)})[:25_000],
        archive({"other": b"file"}),
        archive({}),
        archive({"../../escaped": b"out", **MODEL}),
        archive({"/etc/escaped/../../../../x": b"out", **MODEL}),
        archive(MODEL | {f"file{number}": b"" for number in range(1000)}),
    ],
    ids=["text", "cut", "other", "nothing", "outside", "absolute", "many"],  # an archive holds the time
)
def test_a_broken_or_hostile_archive_leaves_nothing(loopback, tmp_path, data):
    with pytest.raises(PlainError, match=r"cannot be unpacked|has no saved_model\.pb|more than 1,000 files"):
        hub.resolve(served(loopback, data))
    cache = tmp_path / ".cache/tfhub"
    assert not cache.exists() or list(cache.iterdir()) == []
    assert not (tmp_path.parent / "escaped").exists()


def test_a_link_out_of_the_folder_is_refused(loopback):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        link = tarfile.TarInfo("saved_model.pb")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(PlainError, match="cannot be unpacked"):
        hub.resolve(served(loopback, buffer.getvalue()))


def test_a_broken_archive_says_what_to_delete(loopback):
    handle = served(loopback, b"this is no archive")
    folder = downloads.place_of(handle + "?tf-hub-format=compressed").parent
    with pytest.raises(PlainError, match=f"delete {folder} to fetch it again"):
        hub.resolve(handle)
