"""Stage `extract_vggish`, as a person would run it."""

from pathlib import Path

import pytest
from safetensors.numpy import save_file

from pipeline.audio.vggish import seeded_weights
from pipeline.foundations.tables import tables
from stages import extract_vggish, filter_silent


def test_the_stage_embeds_the_audible_videos_and_says_what_it_padded(sounding_project, capfd):
    filter_silent.main()
    Path("models/pretrained").mkdir(parents=True)
    save_file(seeded_weights(1), "models/pretrained/vggish.safetensors")
    extract_vggish.main()
    table = tables.read("vggish", Path("data/features/vggish.parquet"))
    assert table["video_id"].to_pylist() == ["hum", "knock", "short"]
    assert tables.vectors(table["embedding"]).shape == (3, 384)
    assert tables.read("exclusions", Path("data/features/excluded.parquet")).num_rows == 0
    said = capfd.readouterr().err
    assert "3 videos embedded, 1 of them padded to 2.895 s; 0 dropped as too short, 0 failed" in said


def test_the_log_repeats_that_weights_are_untrained(sounding_project, capfd, monkeypatch):
    filter_silent.main()
    Path("models/pretrained").mkdir(parents=True)
    save_file({}, "models/pretrained/vggish.safetensors", {"trained": "no"})
    counts = {"embedded": 2, "padded": 1, "dropped": 0, "failed": 0}
    monkeypatch.setattr(extract_vggish, "extract", lambda *_, **__: counts)
    extract_vggish.main()
    assert "3 videos embedded by UNTRAINED weights, 1 of them" in capfd.readouterr().err


def test_absent_weights_are_named(sounding_project, capfd):
    filter_silent.main()
    with pytest.raises(SystemExit):
        extract_vggish.main()
    assert "models/pretrained/vggish.safetensors: cannot be read" in capfd.readouterr().err
