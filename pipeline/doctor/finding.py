"""One finding: a line with a colour and advice."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

Colour = Literal["green", "yellow", "red"]


class Finding(NamedTuple):
    """One line."""

    colour: Colour
    """green: fine; yellow: look at it; red: a run would stop, or its results would mean nothing."""
    subject: str
    found: str
    advice: str = ""
    """What to do; empty where there is nothing."""


def worst(findings: Iterable[Finding]) -> Colour:
    """The worst colour among them; green where there are none."""
    colours = {finding.colour for finding in findings}
    return "red" if "red" in colours else "yellow" if "yellow" in colours else "green"


def size(count: float) -> str:
    """Bytes for people: 1.5 GB, 23 MB, 4 kB."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"
