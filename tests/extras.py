"""Tests of a library that comes with an extra: they run where it is installed, and skip with what would install it."""

from collections.abc import Mapping

import pytest

from pipeline.foundations.runtime.extras import EXTRAS, installed, lack, remedy

WITHOUT: Mapping[str, str] = {extra: f"{lack(extra, 'this test')}: {remedy(extra)}" for extra in EXTRAS}
"""The reason of a skip."""


def needs(extra: str) -> pytest.MarkDecorator:
    """Skip a test where an extra is not installed."""
    return pytest.mark.skipif(not installed(extra), reason=WITHOUT[extra])
