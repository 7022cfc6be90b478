"""The co-occurrence model: the table is sound, and draws follow it as an exact enumeration says they must."""

from collections import Counter
from fractions import Fraction
from itertools import combinations, product
from math import prod

import pytest

from pipeline.dataset.sample.cooccurrence import ACTIONS, GROUPS, MOST_ACTIONS, STRANGER_PERCENT, draw_actions
from pipeline.foundations.tables.seeds import generator

DRAWS = 20_000


def outcomes():
    """Every possible video, as (lead first), with its exact probability; the literal reading of the four steps."""
    all_groups = sum(group.weight for group in GROUPS.values())
    for group in GROUPS.values():
        all_leads = sum(lead.weight for lead in group.leads.values())
        strangers = [action for action in ACTIONS if action not in group.leads]
        for action, lead in group.leads.items():
            base = Fraction(group.weight, all_groups) * Fraction(lead.weight, all_leads)
            for there in product((False, True), repeat=len(lead.companions)):
                shares = [Fraction(percent, 100) for percent in lead.companions.values()]
                chance = base * prod(share if yes else 1 - share for share, yes in zip(shares, there, strict=True))
                shown = (action, *(name for name, yes in zip(lead.companions, there, strict=True) if yes))
                yield shown[:MOST_ACTIONS], chance * Fraction(100 - STRANGER_PERCENT, 100)
                for stranger in strangers:
                    share = Fraction(STRANGER_PERCENT, 100 * len(strangers))
                    yield (*shown, stranger)[:MOST_ACTIONS], chance * share


@pytest.fixture(scope="module")
def chances():
    """Exact chance of each set of one or two actions to be in a video, and of each number of actions."""
    exact = Counter()
    for shown, chance in outcomes():
        exact[len(shown)] += chance
        for size in (1, 2):
            for subset in combinations(sorted(shown), size):
                exact[subset] += chance
    return exact


@pytest.fixture(scope="module")
def drawn():
    rng = generator(7, "many")
    return [draw_actions(rng) for _ in range(DRAWS)]


def test_the_enumeration_is_complete():
    assert sum(chance for _, chance in outcomes()) == 1


def test_there_are_24_actions_of_the_vocabulary_each_in_one_group(root):
    vocabulary = (root / "data/external/mmit_v1_categories.txt").read_text().split("\n")
    assert len(ACTIONS) == len(set(ACTIONS)) == 24
    assert set(ACTIONS) <= set(vocabulary)
    assert all("/" not in action for action in ACTIONS)  # an action is a folder's name


def test_every_word_of_every_action_has_a_vector(root):
    with (root / "data/external/glove.6B.100d.mmit.txt").open() as file:
        known = {line.split(" ", 1)[0] for line in file}
    assert {word for action in ACTIONS for word in action.split("+")} <= known


def test_companions_are_of_the_leads_group_and_uncertain():
    for group in GROUPS.values():
        for action, lead in group.leads.items():
            assert set(lead.companions) <= set(group.leads) - {action}
            assert all(0 < percent < 100 for percent in lead.companions.values())


def test_two_chances_worked_out_by_hand(chances):
    # The office: 7 of 100 videos; typing leads 5 of 9 (telephoning 30%), telephoning 4 of 9 (typing 40%).
    assert chances["telephoning", "typing"] == Fraction(7, 100) * (Fraction(5 * 30, 900) + Fraction(4 * 40, 900))
    # Four actions of a three-action group need a stranger.
    pool = {"swimming", "splashing", "diving"}
    full = sum(chance for shown, chance in outcomes() if pool <= set(shown) and len(shown) == 4)
    whole = Fraction(7 * 55 * 20 + 4 * 50 * 10 + 3 * 60 * 45, 14 * 100 * 100)
    assert full == Fraction(15, 100) * whole * Fraction(STRANGER_PERCENT, 100)


def test_draws_follow_every_chance(chances, drawn):
    counts = Counter(len(shown) for shown in drawn)
    for shown in drawn:
        for size in (1, 2):
            counts.update(combinations(sorted(shown), size))
    assert set(counts) <= set(chances)  # nothing that the model does not allow
    for subset, chance in chances.items():
        spread = (DRAWS * float(chance) * (1 - float(chance))) ** 0.5
        assert abs(counts[subset] - DRAWS * float(chance)) < 5 * spread + 1, subset


def test_a_video_has_one_to_four_actions_none_twice(drawn):
    assert {len(shown) for shown in drawn} == {1, 2, 3, 4}
    assert all(len(set(shown)) == len(shown) for shown in drawn)


def test_the_long_tail_is_moderate(chances):
    frequency = sorted(chances[action,] for action in ACTIONS)
    assert 3 < frequency[-1] / frequency[0] < 8
    assert 420 * frequency[0] > 14  # training videos of the rarest action


def test_actions_of_a_group_occur_together_and_others_hardly_do(chances):
    psi = {(i, j): chances[tuple(sorted((i, j)))] / chances[i,] for i in ACTIONS for j in ACTIONS if i != j}
    for (i, j), chance in psi.items():
        if not any({i, j} <= set(group.leads) for group in GROUPS.values()):
            assert chance < Fraction(3, 100), (i, j)
    assert sum(chance > Fraction(4, 10) for chance in psi.values()) >= 20  # edges at the paper's threshold
