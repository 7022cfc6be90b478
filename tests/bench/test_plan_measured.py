"""A plan beside what a run took, by hand-made figures."""

import pytest

from pipeline.bench.plan import Planned
from pipeline.bench.plan_measured import Compared, Pair, compare, markdown

PLANNED = (
    Planned("index", 1.0, 2.0, 1e6, 150e6, "the disk"),
    Planned("whiten to adjacency", 4.0, 4.0, 5e6, 300e6, "one core"),
    Planned("prepare_clips", 60.0, 120.0, 1e8, 600e6, "2 cores"),
    Planned("train", 900.0, 1800.0, 1e6, 2e9, "2 threads"),
)
TOOK = {
    "index": (2.5, 0.5e6, 150e6),
    "whiten": (1.0, 1e6, 200e6),
    "build_audio_lexicon": (1.0, 1e6, 150e6),
    "build_text_lexicon": (0.5, 1e6, 250e6),
    "build_adjacency": (0.5, 1e6, 100e6),
    "prepare_clips": (132.0, 0.9e8, None),
}


def test_a_line_of_several_stages_takes_their_times_and_disk_and_the_largest_memory():
    found = {stage.stage: stage for stage in compare(PLANNED, TOOK)}
    assert found["whiten to adjacency"] == Compared(
        "whiten to adjacency", Pair(4.0, 3.0), Pair(5e6, 4e6), Pair(300e6, 250e6)
    )
    assert found["index"].core_seconds.ratio == pytest.approx(1.25)
    assert found["prepare_clips"].memory == Pair(600e6, None)
    assert found["prepare_clips"].memory.ratio is None


def test_a_stage_of_which_a_part_has_not_run_is_not_compared():
    some = {name: took for name, took in TOOK.items() if name not in ("whiten", "prepare_clips")}
    assert [stage.stage for stage in compare(PLANNED, some)] == ["index"]


def test_the_table_sums_times_and_disk_and_compares_memory_where_it_is_known():
    lines = markdown(compare(PLANNED, TOOK)).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == "| index | 2.0 s | 2.5 s | 1.25 | 1.0 MB | 500.0 kB | 0.50 | 150.0 MB | 150.0 MB | 1.00 |"
    assert lines[4] == "| prepare_clips | 2.0 min | 2.2 min | 1.10 | 100.0 MB | 90.0 MB | 0.90 | 600.0 MB |  |  |"
    assert lines[5] == "| all | 2.1 min | 2.3 min | 1.09 | 106.0 MB | 94.5 MB | 0.89 | 300.0 MB | 250.0 MB | 0.83 |"


def test_figures_as_json_have_their_ratios():
    (first, *_) = compare(PLANNED, TOOK)
    assert first.to_json()["disk"] == {"planned": 1e6, "measured": 0.5e6, "ratio": 0.5}
