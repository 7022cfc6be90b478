"""Run a benchmark in a process of its own, once for each line that it reads."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.foundations.runtime.errors import PlainError


class ProcessWork:
    """A program that is ready, and does `items` items of work at each call."""

    def __init__(self, process: "subprocess.Popen[str]", name: str, items: int) -> None:
        self._process = process
        self._name = name
        self._items = items

    def __call__(self) -> int:
        """Have the work done once; how many items that was."""
        assert self._process.stdin  # noqa: S101
        assert self._process.stdout  # noqa: S101
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        if self._process.stdout.readline().strip() != "go":
            raise PlainError(f"bench {self._name}: its process ended; look at what it printed")
        return self._items


@contextmanager
def in_a_process(
    command: Sequence[str | Path], *, name: str, items: int, cwd: Path, env: Mapping[str, str]
) -> Iterator[ProcessWork]:
    """Start a program that answers each line on standard input with the same line, once it has done its work."""
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield ProcessWork(process, name, items)
        assert process.stdin  # noqa: S101
        process.stdin.close()
