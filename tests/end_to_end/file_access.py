"""Which files of a tree each stage opens, as the kernel tells it (inotify): by any process, in any language.

DVC opens files too, before and after each stage. So `python`, as DVC finds it, is a script of ours, which marks where
a stage begins and ends; the kernel keeps marks and opens in one order.
"""

import ctypes
import os
import select
import struct
import sys
from collections import defaultdict
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

IN_OPEN, IN_MOVED_TO, IN_CREATE, IN_Q_OVERFLOW, IN_IGNORED, IN_ISDIR = 0x20, 0x80, 0x100, 0x4000, 0x8000, 0x40000000
LEFT_OUT = {".git", ".dvc"}
"""What git and DVC keep for themselves."""
SCRIPT = """#!/bin/sh
stage=${{DVC_STAGE##*:}}
mark() {{
    : > "{marks}/$1.$stage"
    for wait in $(seq 3000); do [ -e "{marks}/$1.$stage" ] || return 0; sleep 0.01; done
    echo "tests/end_to_end/file_access.py: the watch does not answer" >&2; exit 1
}}
mark begin
{python} "$@"
status=$?
mark end
exit $status
"""


class FileAccess:
    """While it is entered, `of_stage` fills with the files of `root` that each stage opened, as paths below it."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.marks, self.programs = root, folder / "marks", folder / "programs"
        self.of_stage: dict[str, set[str]] = defaultdict(set)
        self._at_work = ""
        self._folders: dict[int, Path] = {}
        self._fault: OSError | AssertionError | None = None
        self._over = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        for made in (self.marks, self.programs):
            made.mkdir(parents=True)
        program = self.programs / "python"
        program.write_text(SCRIPT.format(marks=self.marks, python=sys.executable))
        program.chmod(0o755)

    def __enter__(self) -> Self:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._descriptor >= 0, os.strerror(ctypes.get_errno())
        self._add(self.marks)
        self._add_below(self.root)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        os.close(self._descriptor)
        if self._fault and error is None:
            raise self._fault

    def _add(self, folder: Path) -> None:
        wanted = IN_OPEN | IN_MOVED_TO | IN_CREATE
        number = self._libc.inotify_add_watch(self._descriptor, bytes(folder), wanted)
        if number >= 0:  # else it has gone already
            self._folders[number] = folder  # a folder that was moved keeps its number

    def _add_below(self, top: Path) -> None:
        for folder, names, _ in os.walk(top):
            names[:] = [name for name in names if name not in LEFT_OUT]
            self._add(Path(folder))

    def _watch(self) -> None:
        try:
            while not self._over.is_set():
                if select.select([self._descriptor], [], [], 0.1)[0]:
                    events = os.read(self._descriptor, 1 << 20)
                    while events:
                        number, mask, _, size = struct.unpack_from("iIII", events)
                        self._see(number, mask, os.fsdecode(events[16 : 16 + size].rstrip(b"\0")))
                        events = events[16 + size :]
        except (OSError, AssertionError) as error:  # told to whoever waits for this thread
            self._fault = error

    def _see(self, number: int, mask: int, name: str) -> None:
        assert not mask & IN_Q_OVERFLOW, "the kernel lost events: raise fs.inotify.max_queued_events"
        folder = self._folders.get(number)
        if folder is None or mask & IN_IGNORED or not name:
            return
        if folder == self.marks:
            if mask & IN_CREATE:
                self._turn(name)
        elif mask & IN_ISDIR:
            if mask & (IN_CREATE | IN_MOVED_TO) and name not in LEFT_OUT:
                self._add_below(folder / name)
        elif mask & IN_OPEN and self._at_work:
            self.of_stage[self._at_work].add((folder / name).relative_to(self.root).as_posix())

    def _turn(self, mark: str) -> None:
        """A stage begins, or goes on, once every folder is watched as it is now; or it has ended, or pauses."""
        word, _, stage = mark.partition(".")
        if word == "begin":
            self._add_below(self.root)
        self._at_work = stage if word == "begin" else ""
        (self.marks / mark).unlink()
