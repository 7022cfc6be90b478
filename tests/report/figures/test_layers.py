"""Actions on a plane: the chosen ones named, the others dots."""

import re

import numpy as np

from pipeline.report.figures.layers import marked

NAMES = ["applauding", "diving", "singing", "swimming", "waving"]
PLACES = np.random.default_rng(0).normal(size=(5, 2))


def test_only_the_chosen_are_named():
    svg = marked(PLACES, NAMES, [1, 3], name="layer", about="five actions")
    assert [name for name in NAMES if name in svg] == ["diving", "swimming"]
    assert 'aria-label="five actions"' in svg
    assert len(re.findall(r"<use ", svg)) == 5


def test_nothing_chosen_is_no_error():
    assert "diving" not in marked(PLACES, NAMES, [], name="layer", about="")
