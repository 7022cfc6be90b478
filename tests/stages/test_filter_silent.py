"""Stage `filter_silent`, as a person would run it."""

from pathlib import Path

import pytest

from pipeline.foundations.tables import tables
from stages import filter_silent


def test_the_stage_ends_with_a_count_of_each_verdict(sounding_project, capfd):
    filter_silent.main()
    rows = tables.read("verdicts", Path("data/audible/verdicts.parquet")).to_pylist()
    assert [row["verdict"] for row in rows] == ["audible", "audible", "digital_silence", "audible"]
    assert (
        "filter_silent: 4 videos: 3 audible, 0 no_audio_stream, 1 digital_silence, 0 below_threshold, 0 undecodable"
    ) in capfd.readouterr().err


def test_too_many_failures_are_one_plain_line_and_status_1(sounding_project, capfd):
    Path("videos/hum.avi").unlink()
    with pytest.raises(SystemExit) as end:
        filter_silent.main()
    assert end.value.code == 1
    said = capfd.readouterr().err
    assert "filter_silent: error: 1 of 4 videos failed (25.00%); filter_silent.max_failure_rate allows 2.00%" in said
    assert "hum: " in said
    assert not Path("data/audible").exists()
