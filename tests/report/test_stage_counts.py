"""What was kept and dropped, against the small run's counts by hand."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from pipeline.report.stage_counts import (
    VERDICTS,
    exclusions,
    occurrences,
    occurrences_of,
    stage_counts,
    verdicts_by_split,
)


@pytest.mark.parametrize(
    ("stage", "kept", "dropped"),
    [
        ("index", "14 videos of 6 actions", ((1, "no file"),)),
        (
            "filter_silent",
            "10 audible videos",
            ((1, "no audio stream"), (1, "digital silence"), (1, "too faint"), (1, "undecodable")),
        ),
        (
            "split_mini",
            "5 / 2 / 4 videos: to train, validate and test",
            ((1, "no audio stream"), (1, "not drawn"), (1, "undecodable")),
        ),
        ("fetch_weights", "2 files: vggish, words", ()),
        ("extract_vggish", "9 embeddings of 3 x 128", ((1, "shorter than 46,320 samples"),)),
        ("whiten", "3 components", ()),
        ("build_audio_lexicon", "7 forms", ((1, "actions without a form"),)),
        ("build_text_lexicon", "6 forms of 8", ((1, "word without a vector: colliding"),)),
        ("build_adjacency", "4 edges", ((1, "actions without an edge"),)),
        ("prepare_clips", "3 copies, 6 frames", ((1, "changed since `index`"),)),
        ("train", "3 epochs: visual + text", ()),
        ("evaluate", "3 videos scored", ((1, "cut <off>"),)),
        ("explain", "2 videos drawn: 24 neighbours", ()),
    ],
)
def test_each_stage_keeps_and_drops_what_the_run_has(run_tables, stage, kept, dropped):
    assert stage_counts(run_tables)[stage] == (kept, dropped)


def test_the_counts_know_no_stage_that_is_not_there(run_tables, stages):
    assert set(stage_counts(run_tables)) <= {stage.name for stage in stages}


def test_every_video_left_out_by_name_is_listed_with_its_stage(run_tables):
    assert [row[:2] for row in exclusions(run_tables)] == [
        ("filter_silent", "t6"),
        ("index", "gone"),
        ("extract_vggish", "t7"),
        ("prepare_clips", "t2"),
        ("evaluate", "x2"),
    ]


def test_verdicts_are_counted_by_split(run_tables):
    assert verdicts_by_split(run_tables) == {
        "train": Counter(audible=6, no_audio_stream=1, undecodable=1),
        "val": Counter(audible=1, digital_silence=1),
        "test": Counter(audible=3, below_threshold=1),
    }


def test_all_verdicts_have_words():
    from pipeline.audio.silence import VERDICTS as GIVEN

    assert tuple(VERDICTS) == GIVEN


def test_occurrences_count_a_video_for_each_of_its_actions():
    actions = pa.chunked_array([[[0, 2], [2]], [[0]]], pa.list_(pa.int16()))
    np.testing.assert_array_equal(occurrences(actions, 4), [2, 0, 2, 0])
    np.testing.assert_array_equal(occurrences_of(pa.chunked_array([[3, 1, 3]]), 4), [0, 1, 0, 2])
