"""A real browser, Chromium without a window, driven by its own DevTools protocol through two pipes."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # which root may not use; the pages are our own
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--hide-scrollbars",
)
# Chromium reads descriptor 3 and writes descriptor 4; Popen can pass descriptors, but not number them.
LAUNCH = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execvp(sys.argv[3], sys.argv[3:])"
)
ABOVE = 10
PHONE = 600
"""Pixels: a narrower window is a phone's."""
LARGEST = 15_000_000
"""Bytes of a page."""
STICKING_OUT = """(() => {
  const wide = document.documentElement.clientWidth;
  const scrolls = (e) => e.closest(".scroll, .reel, .pan, nav ul, svg");
  const out = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > wide + 1);
  return out.filter((e) => !scrolls(e)).map((e) => e.outerHTML.slice(0, 120));
})()"""
OVERFLOWING = """(() => {
  const every = [...document.body.querySelectorAll("*")].filter((e) => !e.closest("svg") && e.checkVisibility());
  const wide = every.filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline");
  const scrolls = (e) => ["auto", "scroll"].includes(getComputedStyle(e).overflowX);
  const hints = (e) => [e.nextElementSibling, e.nextElementSibling?.nextElementSibling];
  const hinted = (e) => e.localName === "ul"
    || (e.tabIndex === 0 && hints(e).some((hint) => hint?.className === "more" && hint.checkVisibility()));
  return wide.filter((e) => !(scrolls(e) && e.hasAttribute("data-right") && hinted(e)))
    .map((e) => `${e.scrollWidth} in ${e.clientWidth}: ${e.outerHTML.slice(0, 160)}`);
})()"""
PICTURE_WIDTHS = """(async () => {
  document.querySelectorAll("details").forEach((e) => { e.open = true; });
  const pictures = [...document.images];
  pictures.forEach((e) => { e.loading = "eager"; });
  await Promise.all(pictures.map((e) => e.decode()));
  return pictures.map((e) => e.naturalWidth);
})()"""


class Browser:
    """One page in one browser."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._unread, self._last, self._session = b"", 0, ""
        self.errors: list[str] = []
        """What the console has shown as an error since the page was opened."""
        self.requests: list[str] = []
        """The addresses that were asked for since then, those within the page apart."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, page: Path, *, width: int, height: int = 900, dark: bool = False, fragment: str = "") -> None:
        """Open a file in a window of some size, and wait until all of it is loaded."""
        phone = width < PHONE
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self.errors, self.requests = [], []
        self._call("Page.navigate", url=page.absolute().as_uri() + fragment)
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression, which may be a promise."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def sticking_out(self) -> list[str]:
        """The elements that reach beyond the window's right edge, those within something that scrolls apart."""
        found: list[str] = self.ask(STICKING_OUT)
        return found

    def overflowing(self) -> list[str]:
        """The elements wider within than without, but those that scroll, by keyboard too, and say so."""
        found: list[str] = self.ask(OVERFLOWING)
        return found

    def picture_widths(self) -> list[int]:
        """The widths of all pictures in pixels of their own, those that are folded away or far below too."""
        found: list[int] = self.ask(PICTURE_WIDTHS)
        return found

    def saved(self, folder: Path, expression: str) -> Path:
        """The file that an expression's doing downloads into a folder."""
        self._call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder), eventsEnabled=True)
        self.ask(f"{expression}, 0")
        while (event := self._next()).get("method") != "Browser.downloadProgress" or (
            event["params"]["state"] == "inProgress"
        ):
            pass
        assert event["params"]["state"] == "completed"
        (file,) = folder.iterdir()
        return file

    def press(self, key: str) -> None:
        """Press a key, as on a keyboard: Tab, or Enter."""
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def picture(self, target: Path, *, whole: bool = False) -> None:
        """Write what the window shows, or the whole page, as PNG."""
        shot = self._call("Page.captureScreenshot", captureBeyondViewport=whole)
        target.write_bytes(base64.b64decode(shot["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._last:
            self._note(answer.get("method", ""), answer.get("params", {}))
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            chunk = os.read(self._answers, 1 << 20)
            assert chunk, "the browser has ended"
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def _note(self, event: str, about: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(about["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and about["type"] in ("error", "assert"):
            self.errors.append(json.dumps(about["args"]))
        elif event == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.errors.append(about["entry"]["text"])
        elif event == "Network.requestWillBeSent" and not about["request"]["url"].startswith("data:"):
            self.requests.append(about["request"]["url"])


@contextmanager
def browsing(profile: Path) -> Iterator[Browser]:
    """A browser with a fresh profile; a test that asks for one skips where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no browser: install Chromium (apt-get install chromium) to look at pages in it")
    theirs_in, ours_out, ours_in, theirs_out = (_raised(end) for end in (*os.pipe(), *os.pipe()))
    command = [sys.executable, "-c", LAUNCH, str(theirs_in), str(theirs_out), program]
    with subprocess.Popen(
        [*command, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        for end in (theirs_in, theirs_out):
            os.close(end)
        browser = Browser(ours_out, ours_in)
        try:
            yield browser
        finally:
            with suppress(AssertionError, OSError):  # it ends before it answers
                browser._session = ""
                browser._call("Browser.close")
            process.wait(timeout=20)
            for end in (ours_out, ours_in):
                os.close(end)


def _raised(end: int) -> int:
    """The same end of a pipe under a number that the browser's own two do not take."""
    raised = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, ABOVE)
    os.close(end)
    return raised
