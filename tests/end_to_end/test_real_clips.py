"""Real clips of many formats, annotated by hand in M-MiT's layout, go through every stage as M-MiT would."""

import shutil
import subprocess

import pytest

from pipeline.foundations.tables import tables
from tests.end_to_end.clones import change_params, clone, environment

ACTIONS = ["waving", "bicycling", "barking", "burning", "flipping", "turning", "speaking", "boating", "running"]
LABELS = {
    "trainingSet.txt": {
        "speaking/R6llTwEh07w.mp4": [6],
        "running/bigbuckbunny.mp4": [8, 5],
        "bicycling/bikes.mp4": [1, 8],
        "boating/boat.mp4": [7],
        "barking/dog_barking.mp4": [2, 8],
        "burning/fire2.mp4": [3],
        "flipping/flipping_a_pancake.mkv": [4, 5],
        "speaking/nasa_13013.mp4": [6, 7],
    },
    "validationSet.txt": {"waving/RATRACE_wave_f_nm_np1_fr_goo_37.avi": [0], "running/demo.mp4": [8]},
    "testSet.txt": {"turning/hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi": [5], "waving/test.avi": [0]},
}
WITHOUT_SOUND = {"bikes", "demo", "hmdb51", "RATRACE"}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def real(tmp_path_factory, real_clips):
    root = clone(tmp_path_factory.mktemp("real"))
    folder = root / "data/raw/real"
    for name, labels in LABELS.items():
        for path in labels:
            (folder / "videos" / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(real_clips / path.split("/")[1], folder / "videos" / path)
        lines = [",".join([path, *map(str, actions)]) for path, actions in labels.items()]
        (folder / name).write_text("\n".join(lines) + "\n")
    (folder / "moments_categories.txt").write_text("".join(f"{name},{i}\n" for i, name in enumerate(ACTIONS)))
    place = {
        "source": "mmit",
        "folder": "data/raw",
        "annotations": "real",
        "videos": "real/videos",
        "watch": "real",
    }
    change_params(root, {"dataset": place, "train": {"epochs": 1, "milestones": [], "batch": 4}})
    run = subprocess.run(["dvc", "repro"], cwd=root, env=environment(), capture_output=True, text=True)
    assert run.returncode == 0, (run.stdout + run.stderr)[-4000:]
    return root


def test_the_sample_is_not_rendered_where_params_point_elsewhere(real):
    assert not (real / "data/raw/sample").exists()


def test_videos_without_an_audio_stream_are_named_and_the_others_heard(real):
    verdicts = tables.read("verdicts", real / "data/audible/verdicts.parquet").to_pylist()
    silent = {row["video_id"] for row in verdicts if row["verdict"] == "no_audio_stream"}
    assert len(verdicts) == 12
    assert {name for name in WITHOUT_SOUND if any(name in video for video in silent)} == WITHOUT_SOUND


def test_every_test_video_is_scored_or_excluded_by_name(real):
    scored = tables.read("predictions", real / "data/predictions/predictions.parquet")["video_id"].to_pylist()
    excluded = tables.read("exclusions", real / "data/predictions/excluded.parquet")["video_id"].to_pylist()
    split = tables.read("splits", real / "data/splits/test.parquet")["video_id"].to_pylist()
    assert sorted(scored + excluded) == split


def test_a_second_run_has_nothing_to_do(real):
    again = subprocess.run(["dvc", "repro"], cwd=real, env=environment(), capture_output=True, text=True)
    assert again.stdout.strip().endswith("Data and pipelines are up to date.")
    assert "Running stage" not in again.stdout
