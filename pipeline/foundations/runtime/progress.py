"""Progress of a stage: a bar on a terminal, plain lines elsewhere, and one line at the end."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

console = Console(stderr=True, highlight=False, soft_wrap=True)
PLAIN_LINE_SECONDS = 30.0
_said: list[str] = []
T = TypeVar("T")


def track(items: Iterable[T], *, total: int, label: str) -> Iterator[T]:
    """Yield from `items`, showing how many of `total` have passed."""
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            yield from progress.track(items, total=total, description=label)
        return
    last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - last >= PLAIN_LINE_SECONDS:
            say(f"{label}: {done:,} of {total:,}")
            last = time.monotonic()


def say(line: str) -> None:
    """Print one line to the log (standard error, so that pipes stay clean)."""
    _said.append(line)
    console.print(line, markup=False)


def said() -> list[str]:
    """The lines that this process has printed so far."""
    return list(_said)
