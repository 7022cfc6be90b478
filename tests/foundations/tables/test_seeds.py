"""Choices named by what they are about."""

import hashlib

import numpy as np

from pipeline.foundations.tables.seeds import generator, seed_of


def test_a_seed_is_the_digest_of_its_name():
    digest = hashlib.sha256(b"2021\x1fsplit_mini\x1fswimming\x1fa/b").digest()
    assert seed_of(2021, "split_mini", "swimming", "a/b") == int.from_bytes(digest[:8], "big") // 2


def test_a_seed_is_the_same_on_every_machine():
    assert seed_of(2021, "epoch", 3) == 0xF51D3B7C39AF6DB7 >> 1  # printf '2021\x1fepoch\x1f3' | sha256sum
    assert generator(2021, "epoch", 3).integers(1000, size=5).tolist() == [955, 816, 873, 39, 215]


def test_seeds_fit_into_63_bits_and_differ():
    seeds = {seed_of(seed, name) for seed in range(20) for name in "abcdefghij"}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_parts_of_a_key_do_not_run_together():
    assert seed_of(1, "ab", "c") != seed_of(1, "a", "bc")
    assert seed_of(1, 2, 3) != seed_of(12, 3)


def test_generators_of_one_name_agree_and_of_two_names_do_not():
    assert np.array_equal(generator(1, "a").random(8), generator(1, "a").random(8))
    assert not np.array_equal(generator(1, "a").random(8), generator(1, "b").random(8))
