"""Verdicts and embeddings of real clips: H.264, MPEG-4 and Matroska, with AAC, MP3, Opus, 5.1 and no sound."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.audio.extraction import extract
from pipeline.audio.silence import filter_silent
from pipeline.audio.vggish import seeded_weights
from pipeline.audio.whitening import apply, fit
from pipeline.foundations.runtime import files
from pipeline.foundations.tables import tables

WITHOUT_SOUND = {"RATRACE_wave_f_nm_np1_fr_goo_37", "bikes", "demo",
                 "hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6"}  # fmt: skip
VOLUME = {"fire2": (-31.0, -51.2), "flipping_a_pancake": (-6.0, -27.8), "R6llTwEh07w": (-2.9, -31.5)}
"""Peak and mean of mono tracks, in dB to full scale, as the volumedetect filter of FFmpeg's program measures them."""
SHORT = "fire2"  # 2.26 s


@pytest.fixture
def videos(real_clips, tmp_path):
    paths = sorted(real_clips.iterdir(), key=lambda path: path.stem)
    columns = {
        "video_id": [path.stem for path in paths],
        "path": [path.name for path in paths],
        "split": ["train"] * len(paths),
        "actions": [[0]] * len(paths),
        "bytes": [path.stat().st_size for path in paths],
        "sha256": [files.sha256(path) for path in paths],
    }
    tables.write("videos", tmp_path / "videos.parquet", tables.from_columns("videos", columns))
    return tmp_path / "videos.parquet"


@pytest.mark.parametrize("rule", ["loudness", "released"])
def test_verdicts(real_clips, videos, params, on_one_worker, tmp_path, rule):
    target = tmp_path / "verdicts.parquet"
    rules = params.filter_silent.model_copy(update={"rule": rule})
    counts = filter_silent(videos, target, root=real_clips, rules=rules, media=params.media, execution=on_one_worker)
    rows = {row["video_id"]: row for row in tables.read("verdicts", target).to_pylist()}
    assert {name for name, row in rows.items() if row["verdict"] == "no_audio_stream"} == WITHOUT_SOUND
    assert counts["audible"] == len(rows) - len(WITHOUT_SOUND)
    for name, (peak, rms) in VOLUME.items():
        assert rows[name]["peak_dbfs"] == pytest.approx(peak, abs=0.1)
        assert rows[name]["rms_dbfs"] == pytest.approx(rms, abs=0.1)


@pytest.mark.slow
def test_embeddings(real_clips, videos, params, on_one_worker, tmp_path):
    weights, verdicts = tmp_path / "vggish.safetensors", tmp_path / "verdicts.parquet"
    save_file(seeded_weights(1), weights)
    shared = {"root": real_clips, "media": params.media, "execution": on_one_worker}
    filter_silent(videos, verdicts, rules=params.filter_silent, **shared)
    target, excluded = tmp_path / "vggish.parquet", tmp_path / "excluded.parquet"
    settings = params.vggish.model_copy(update={"short": "pad", "shard_size": 8})
    counts = extract(videos, verdicts, weights, target, excluded, vggish=settings, **shared)
    table = tables.read("vggish", target)
    assert counts["padded"] == 1
    assert counts["embedded"] == table.num_rows - 1
    patches = tables.vectors(table["embedding"]).reshape(-1, 128)
    assert np.isfinite(patches).all()
    white = apply(patches, fit([patches])).reshape(table.num_rows, 384)
    distances = np.linalg.norm(white[:, None] - white, axis=2)[~np.eye(table.num_rows, dtype=bool)]
    assert distances.min() > 1.0  # no two clips sound the same
    settings = settings.model_copy(update={"short": "drop"})
    counts = extract(videos, verdicts, weights, target, excluded, vggish=settings, **shared)
    assert counts["dropped"] == 1
    assert tables.read("exclusions", excluded)["video_id"].to_pylist() == [SHORT]
