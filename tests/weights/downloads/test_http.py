"""Transfers against a server on this machine: breaks, ranges, refusals, full disks."""

import subprocess
import sys
import textwrap

import pytest

from pipeline.foundations.runtime.errors import PlainError
from pipeline.weights.downloads import http

DATA = bytes(range(256)) * 12_000  # 3 MB


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(http, "PAUSES", (0.0, 0.0))


def receive(address, folder, **changes):
    target = folder / "file.bin"
    http.receive(address, target, **{"label": "file", "pinned": False} | changes)
    return target


def left(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_leaves_nothing_beside_it(loopback, tmp_path):
    assert receive(loopback.put("/f", DATA), tmp_path).read_bytes() == DATA
    assert left(tmp_path) == ["file.bin"]


def test_a_broken_connection_goes_on_where_it_was(loopback, tmp_path):
    address = loopback.put("/f", DATA, breaks=[2_000_000])
    assert receive(address, tmp_path).read_bytes() == DATA
    (_, first), (_, second) = loopback.asked
    assert first is None
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= 2_000_000
    assert left(tmp_path) == ["file.bin"]


def test_what_a_run_left_is_completed_by_the_next(loopback, tmp_path):
    address = loopback.put("/f", DATA, breaks=[1_500_000, 0, 0])
    with pytest.raises(PlainError, match=r"the connection breaks; 1,\d+,\d+ bytes are kept, run again"):
        receive(address, tmp_path)
    assert left(tmp_path) == ["file.bin.part", "file.bin.part.version"]
    assert receive(address, tmp_path).read_bytes() == DATA
    assert loopback.asked[-1][1].startswith("bytes=1")


def test_another_version_is_not_appended_to_what_was_left(loopback, tmp_path):
    with pytest.raises(PlainError, match="are kept"):
        receive(loopback.put("/f", DATA, breaks=[2_000_000, 0, 0]), tmp_path)
    address = loopback.put("/f", DATA[::-1], etag='"v2"')
    assert receive(address, tmp_path).read_bytes() == DATA[::-1]


def test_a_server_without_ranges_sends_the_whole_again(loopback, tmp_path):
    address = loopback.put("/f", DATA, ranges=False, breaks=[2_000_000])
    assert receive(address, tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
def test_without_a_strong_version_nothing_is_kept(loopback, tmp_path, etag):
    with pytest.raises(PlainError, match="cannot be completed by this server and were removed"):
        receive(loopback.put("/f", DATA, etag=etag, breaks=[2_000_000] * 3), tmp_path)
    assert left(tmp_path) == []
    assert [wanted for _, wanted in loopback.asked] == [None] * 3


def test_a_part_that_is_already_whole_is_fetched_again(loopback, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(DATA)
    (tmp_path / "file.bin.part.version").write_text('"v1"')
    assert receive(loopback.put("/f", DATA), tmp_path).read_bytes() == DATA


@pytest.mark.parametrize(
    ("status", "advice"),
    [(404, "is the name spelled as it is published"), (403, "fetch the file by hand"), (407, "HTTPS_PROXY"),
     (503, "try again later")],
)  # fmt: skip
def test_a_refusal_is_said_in_words(loopback, tmp_path, status, advice):
    with pytest.raises(PlainError, match=rf"/f: the server answers {status} .*{advice}"):
        receive(loopback.put("/f", b"", status=status), tmp_path)
    assert left(tmp_path) == []


def test_a_web_page_is_not_taken_for_the_file(loopback, tmp_path):
    address = loopback.put("/f", b"<html>please sign in</html>", content_type="text/html; charset=utf-8")
    with pytest.raises(PlainError, match="this is a web page, not a file"):
        receive(address, tmp_path)
    assert receive(address, tmp_path, pinned=True).is_file()  # its hash will tell


def test_nobody_there_says_where_to_put_the_file(tmp_path):
    with pytest.raises(PlainError, match=r"127.0.0.1 cannot be reached; offline, put the file at .*file\.bin"):
        receive("http://127.0.0.1:9/f", tmp_path)
    assert left(tmp_path) == []


def test_a_server_without_a_certificate_is_not_trusted(loopback, tmp_path):
    address = loopback.put("/f", DATA).replace("http:", "https:")
    with pytest.raises(PlainError, match=r"no connection to 127.0.0.1 that can be trusted.*REQUESTS_CA_BUNDLE"):
        receive(address, tmp_path)


def test_a_dead_proxy_is_named_as_the_cause(tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(PlainError, match="the proxy does not let us through; see HTTPS_PROXY"):
        receive("http://weights.invalid/f", tmp_path)


def test_a_working_proxy_is_used(loopback, tmp_path, monkeypatch):
    loopback.put("/f", DATA)
    monkeypatch.setenv("http_proxy", loopback.url)
    assert receive("http://weights.invalid/f", tmp_path).read_bytes() == DATA


def test_a_disk_without_room_is_told_before_the_first_byte(loopback, tmp_path, monkeypatch):
    monkeypatch.setattr(http.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(PlainError, match=r"needs 3,072,000 bytes in .*, and 1,000 are free"):
        receive(loopback.put("/f", DATA), tmp_path)
    assert "file.bin" not in left(tmp_path)


def test_a_disk_that_fills_up_leaves_nothing(loopback, tmp_path):
    program = f"""
        import resource
        from pathlib import Path
        from pipeline.weights.downloads.http import receive
        from pipeline.foundations.runtime.errors import PlainError
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))  # the file system refuses, as if full
        try:
            receive({loopback.put("/f", DATA)!r}, Path({str(tmp_path)!r}, "file.bin"), label="file", pinned=False)
        except PlainError as error:
            print(error)
    """
    said = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert "cannot be written: the disk is full; it was removed" in said.stdout
    assert left(tmp_path) == []


def test_a_file_of_unknown_length_comes_whole(loopback, tmp_path):
    assert receive(loopback.put("/f", DATA, declared=False), tmp_path).read_bytes() == DATA
    assert left(tmp_path) == ["file.bin"]


def test_a_file_without_an_end_is_stopped_and_leaves_nothing(loopback, tmp_path, monkeypatch):
    monkeypatch.setattr(http, "MOST_UNDECLARED", 2**21)
    with pytest.raises(PlainError, match=r"sends more than 2,097,152 bytes without saying how many .*Content-Length"):
        receive(loopback.put("/f", DATA, declared=False), tmp_path)
    assert left(tmp_path) == []
    assert receive(loopback.put("/f", DATA), tmp_path).read_bytes() == DATA  # of known length it may be larger
