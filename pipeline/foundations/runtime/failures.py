"""How many videos a stage may leave out before it stops (DESIGN.md, invariant 1)."""

from collections.abc import Iterator
from itertools import islice

from pipeline.foundations.runtime.errors import PlainError

NAMED = 5
"""Failures that an error message names."""


def check(reasons: Iterator[tuple[str, str]], *, failed: int, total: int, allowed: float, name: str) -> None:
    """Stop if too many videos failed; fewer are left out by name, in a table.

    Args:
        reasons: video id and reason of each that failed; the first few are read.
        failed: how many there are, of `total`.
        total: how many were tried.
        allowed: the largest fraction of `total`.
        name: of the parameter that allows it.

    Raises:
        PlainError: more failed; the first are named with their reasons.
    """
    if failed <= allowed * total:
        return
    named = "".join(f"\n  {video_id}: {reason}" for video_id, reason in islice(reasons, NAMED))
    raise PlainError(
        f"{failed:,} of {total:,} videos failed ({failed / total:.2%}); {name} allows {allowed:.2%}. Mend the files, "
        f"or raise it to leave them out by name. The first:{named}"
    )
