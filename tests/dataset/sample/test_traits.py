"""Traits are dealt evenly, so that none tells an action, and differently for each seed."""

from collections import Counter

import pytest

from pipeline.dataset.sample.traits import deal, most_shared, spread
from pipeline.foundations.tables.seeds import generator

ACTIONS = [f"action {number}" for number in range(24)]
TRAITS = {"a": list("abcdefghijkl"), "b": list("mnopqrst"), "c": list("uvwxyz")}


@pytest.mark.parametrize("seed", range(5))
def test_kinds_are_used_equally_and_no_two_actions_share_two(seed):
    dealt = deal(generator(seed, "deal"), ACTIONS, TRAITS)
    for trait, kinds in TRAITS.items():
        assert Counter(one[trait] for one in dealt) == dict.fromkeys(kinds, 24 // len(kinds))
    pairs = [sum(x[t] == y[t] for t in TRAITS) for i, x in enumerate(dealt) for y in dealt[:i]]
    assert max(pairs) == most_shared(dealt) == 1


def test_most_shared_counts_pairs_not_selves():
    assert most_shared([{"a": "x", "b": "y"}, {"a": "z", "b": "w"}]) == 0
    assert most_shared([{"a": "x", "b": "y"}, {"a": "x", "b": "w"}]) == 1
    assert most_shared([{"a": "x", "b": "y"}, {"a": "x", "b": "y"}]) == 2


def test_another_seed_deals_otherwise():
    assert deal(generator(1, "deal"), ACTIONS, TRAITS) != deal(generator(2, "deal"), ACTIONS, TRAITS)


def test_spread_is_even_from_end_to_end_in_drawn_order():
    values = spread(generator(3, "spread"), 5, 10, 50)
    assert sorted(values) == [10, 20, 30, 40, 50]
    assert values != sorted(values)
