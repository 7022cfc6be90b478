"""Count what went wrong and was got over while a stage ran: lost workers, decoders started again.

A worker's counts travel to the stage with each result; the stage's record tells them.
"""

from collections import Counter

LOST_WORKERS, REPEATED_CALLS = "lost_workers", "repeated_decoder_calls"
_counts: Counter[str] = Counter()


def count(kind: str, number: int = 1) -> None:
    """Count incidents of a kind in this process."""
    _counts[kind] += number


def add(counts: Counter[str]) -> None:
    """Add what a worker counted."""
    _counts.update(counts)


def so_far() -> Counter[str]:
    """How often each kind has happened in this process."""
    return Counter(_counts)
