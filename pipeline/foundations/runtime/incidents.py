"""Count faults that a stage recovered from: lost workers, restarted decoders.

A worker sends its counts to the stage with each result; they are in the stage's record.
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
