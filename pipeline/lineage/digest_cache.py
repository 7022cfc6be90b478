"""Cache of large files' digests, valid while inode, size and times stay, so that a trace does not read 100 GB again.

`m3a audit` and exports do not use it; they read every byte.
"""

import json
from contextlib import suppress
from pathlib import Path

from pipeline.foundations.runtime.digests import md5
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import write_text

LARGE = 1 << 20
"""Bytes above which a file's digest is cached; hashing a smaller file takes no longer than the look-up."""


class DigestCache:
    """The digests of one project's files; `save` keeps them for the next command."""

    def __init__(self, root: Path) -> None:
        self._place = root / ".cache" / "digests.json"
        self._known: dict[str, list[str]] = {}
        with suppress(OSError, ValueError):  # none yet, or damaged: start empty
            self._known = dict(json.loads(self._place.read_text(encoding="utf-8")))
        self._changed = False

    def md5(self, path: Path) -> str:
        """A file's or folder's digest.

        Raises:
            OSError: it is absent or cannot be read.
        """
        return md5(path, of_file=self._of_file)

    def _of_file(self, path: Path) -> str:
        status = path.stat()
        if status.st_size < LARGE:
            return md5(path)
        name = str(path.absolute())
        state = f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        known = self._known.get(name, ["", ""])
        if known[0] != state:
            known = self._known[name] = [state, md5(path)]
            self._changed = True
        return known[1]

    def save(self) -> None:
        """Write the cache; skipped where nothing may be written."""
        if self._changed:
            with suppress(PlainError, OSError):
                self._place.parent.mkdir(exist_ok=True)
                write_text(self._place, json.dumps(self._known))
