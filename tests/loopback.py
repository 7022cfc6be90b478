"""A web server on this machine, with the moods that servers have."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Resource:
    """One file, and how it is served."""

    data: bytes
    etag: str | None = '"v1"'
    ranges: bool = True
    status: int = 200
    content_type: str = "application/octet-stream"
    declared: bool = True
    """Whether the answer tells its length."""
    breaks: list[int] = field(default_factory=list)
    """The connection breaks after this many bytes, one entry an answer."""
    location: str | None = None


@dataclass
class Loopback:
    """The server: what it has, and what it was asked for, as (path, Range)."""

    url: str
    resources: dict[str, Resource] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def put(self, path: str, data: bytes, **moods) -> str:
        """Serve `data` at `path`, query included; returns its address."""
        self.resources[path] = Resource(data, **moods)
        return self.url + path


@contextmanager
def serving() -> Iterator[Loopback]:
    """Run the server while the context lasts."""
    loopback = Loopback("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = re.sub(r"^http://[^/]*", "", self.path)  # a proxy is asked for whole addresses
            loopback.asked.append((path, self.headers.get("Range")))
            resource = loopback.resources.get(path, Resource(b"no such file", status=404, etag=None))
            _answer(self, resource)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    loopback.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield loopback
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(handler: BaseHTTPRequestHandler, resource: Resource) -> None:
    """Answer as RFC 9110 says, Range and If-Range included."""
    if resource.location:
        handler.send_response(302)
        handler.send_header("Location", resource.location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    start, status = 0, resource.status
    wanted = handler.headers.get("Range")
    if wanted and resource.ranges and handler.headers.get("If-Range") in (None, resource.etag):
        start, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
    if status == 206 and start >= len(resource.data):
        start, status = len(resource.data), 416
    body = resource.data[start:]
    handler.send_response(status)
    handler.send_header("Content-Type", resource.content_type)
    if resource.declared:
        handler.send_header("Content-Length", str(len(body)))
    if status == 206:
        handler.send_header("Content-Range", f"bytes {start}-{len(resource.data) - 1}/{len(resource.data)}")
    if resource.etag:
        handler.send_header("ETag", resource.etag)
    handler.end_headers()
    handler.wfile.write(body[: resource.breaks.pop(0)] if resource.breaks else body)
