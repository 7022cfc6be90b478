"""DVC's S3 remote, with a server on this machine: what was pushed comes back, whatever is lost here."""

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from urllib.error import URLError

import pytest

from pipeline.clips.packs import pack_name
from tests.end_to_end.clones import environment
from tests.extras import needs

SERVER = shutil.which(os.environ.get("M3A_MOTO_SERVER", "moto_server"))
BUCKET = "m3a"
PATIENCE = 60
pytestmark = [
    pytest.mark.slow,
    needs("s3"),
    pytest.mark.skipif(
        SERVER is None, reason="no S3 server: pip install 'moto[server]' elsewhere, M3A_MOTO_SERVER=its moto_server"
    ),
]


@pytest.fixture
def endpoint() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([SERVER, "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL)
    try:
        address, end = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(urllib.request.Request(f"{address}/{BUCKET}", method="PUT"), timeout=5).close()
                break
            except URLError:
                assert time.monotonic() < end
                time.sleep(0.2)
        yield address
    finally:
        server.kill()
        server.wait()


def test_packs_that_were_pushed_come_back_with_the_same_bytes(endpoint, tmp_path):
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}

    def dvc(*arguments: str) -> None:
        done = subprocess.run(
            ["dvc", *arguments], cwd=tmp_path, env=environment(DVC_NO_ANALYTICS="1", **keys), capture_output=True
        )
        assert done.returncode == 0, done.stderr.decode()

    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    dvc("init", "-q")
    dvc("remote", "add", "--default", "lab", f"s3://{BUCKET}/cache")
    dvc("remote", "modify", "lab", "endpointurl", endpoint)
    clips = tmp_path / "clips"
    clips.mkdir()
    content = {pack_name(number, "h264"): os.urandom(100_000) for number in range(3)}
    for name, data in content.items():
        (clips / name).write_bytes(data)
    dvc("add", "clips")
    dvc("push")
    shutil.rmtree(clips)
    shutil.rmtree(tmp_path / ".dvc/cache")
    dvc("pull")
    assert {path.name: path.read_bytes() for path in clips.iterdir()} == content
