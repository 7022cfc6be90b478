"""When a stage stops for the videos that failed, and what it then says."""

import pytest

from pipeline.foundations.runtime import failures
from pipeline.foundations.runtime.errors import PlainError


def check(failed: int, total: int, allowed: float) -> None:
    reasons = ((f"v{number}", f"reason {number}") for number in range(failed))
    failures.check(reasons, failed=failed, total=total, allowed=allowed, name="clips.max_failure_rate")


@pytest.mark.parametrize(("failed", "total", "allowed"), [(0, 0, 0.0), (0, 9, 0.0), (1, 4, 0.25), (9, 9, 1.0)])
def test_up_to_the_allowed_part_nothing_is_said(failed, total, allowed):
    check(failed, total, allowed)


def test_above_it_the_first_are_named():
    with pytest.raises(PlainError) as error:
        check(7, 1_000, 0.0069)
    assert str(error.value).splitlines() == [
        "7 of 1,000 videos failed (0.70%); clips.max_failure_rate allows 0.69%. Mend the files, or raise it to leave "
        "them out by name. The first:",
        *(f"  v{number}: reason {number}" for number in range(5)),
    ]
