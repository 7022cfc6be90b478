"""A million videos with M-MiT's statistics: how much the bookkeeping takes, and what a second run does.

pytest -s -m soak tests/test_million.py prints the figures: seconds, memory, videos of each action in either reading.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.bench.annotations import write_rows
from pipeline.dataset import mmit
from pipeline.foundations.params import load_params
from pipeline.foundations.runtime.progress import say
from pipeline.foundations.tables import tables
from tests.end_to_end.clones import clone, environment
from tests.million import READINGS
from tests.presets import preset_text

ROOT = Path(__file__).resolve().parents[1]
VIDEOS = 1_000_000
MEMORY = 2e9
WALL, CORES = 60, 2
MOST_FILES = 10_000
pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Annotation files in the published layout; tables come beside them."""
    folder = tmp_path_factory.mktemp("million")
    write_rows(folder, videos=VIDEOS)
    return folder


@pytest.fixture(scope="module")
def measured(folder) -> dict:
    """What `python -m tests.million` says, on two cores."""
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    done = subprocess.run(
        [sys.executable, "-m", "tests.million", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
        env=environment(PYTHONPATH=str(ROOT)), preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )  # fmt: skip
    (folder / "whitened.parquet").unlink()
    (folder / "audio.parquet").unlink()
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def training(folder) -> list:
    """The annotated training videos."""
    return [video for video in mmit.read(folder).videos if video.split == "train"]


def test_it_fits_in_two_gigabytes_and_two_cores_minutes(measured):
    """In seconds of CPU, since others work on this machine too; both readings of the draw, and either scope."""
    for step, (wall, cpu) in measured["seconds"].items():
        say(f"{step:24} {wall:6.1f} s {cpu:6.1f} s CPU")
    say(f"{measured['peak_bytes'] / 1e9:.2f} GB")
    assert measured["peak_bytes"] <= MEMORY
    assert sum(cpu for _, cpu in measured["seconds"].values()) <= WALL * CORES


def test_the_draw_gives_each_action_up_to_300_in_both_readings(measured, training):
    drawn = measured["drawn"]
    for action in drawn["folder"]["videos"]:
        say(f"{action:24}" + "".join(f"{drawn[name]['videos'][action]:>8,} by {name}" for name in READINGS))
    say(f"{'together':24}" + "".join(f"{drawn[name]['total']:>8,} by {name}" for name in READINGS))
    folders = Counter(video.path.partition("/")[0] for video in training)
    assert drawn["folder"]["total"] == sum(min(count, 300) for count in folders.values()) == 93_900
    labels = Counter(label for video in training for label in video.actions)
    assert all(
        drawn["label"]["videos"][action] >= min(labels[number], 300)
        for number, action in enumerate(drawn["label"]["videos"])
    )
    assert 85_000 < drawn["label"]["total"] < sum(min(count, 300) for count in labels.values())


def test_the_lexicon_pairs_every_form_with_every_label(measured, training):
    assert measured["pairs"]["full"] == sum(len(video.actions) for video in training)
    assert measured["pairs"]["mini"] == sum(measured["drawn"]["folder"]["videos"].values())  # drawn last


def test_a_second_run_over_them_does_nothing_in_seconds(measured, folder, tmp_path):
    """The stages of tables alone, since there is no video; index and verdicts are given to DVC as they would be."""
    project = clone(tmp_path / "clone")
    data = tmp_path / "mmit"
    (data / "videos").mkdir(parents=True)
    (data / "annotations").symlink_to(folder)
    (project / "params.yaml").write_text(preset_text("mmit_v1_mini", {"dataset.folder": str(data)}))
    give_tables(project, folder)
    _dvc(project, "commit", "--force", "index", "filter_silent")
    stages = ("split_mini", "build_adjacency")
    first, _ = _dvc(project, "repro", *stages)
    assert all(f"Running stage '{stage}'" in first for stage in stages)
    said, cpu = _dvc(project, "repro", *stages)
    assert said.count("didn't change, skipping") == 4
    assert "Running stage" not in said
    say(f"a second dvc repro: {cpu:.1f} s CPU")
    assert cpu < 10
    lock = YAML(typ="safe").load(project / "dvc.lock")["stages"]
    assert max(out.get("nfiles", 1) for stage in lock.values() for out in stage["outs"] + stage["deps"]) < MOST_FILES
    params = load_params(project / "params.yaml")
    assert VIDEOS / params.clips.shard_size < MOST_FILES  # the only outputs that come as several files


def give_tables(project: Path, folder: Path) -> None:
    """What `index` and `filter_silent` leave of a million videos that all sound."""
    index = project / "data/index"
    index.mkdir(parents=True)
    for name in ("videos", "actions"):
        (index / f"{name}.parquet").write_bytes((folder / f"{name}.parquet").read_bytes())
    tables.write("exclusions", index / "missing.parquet", tables.empty("exclusions"))
    ids = tables.read("videos", index / "videos.parquet")["video_id"]
    alike = {"verdict": "audible", "reason": "", "seconds": 3.0, "peak_dbfs": -3.0, "rms_dbfs": -20.0}
    columns = {"video_id": ids} | {name: [value] * len(ids) for name, value in alike.items()}
    tables.write("verdicts", project / "data/audible/verdicts.parquet", tables.from_columns("verdicts", columns))


def _dvc(project: Path, *arguments: str) -> tuple[str, float]:
    """What DVC said, and the CPU seconds that it and its stages took."""
    before = os.times()
    done = subprocess.run(["dvc", *arguments], cwd=project, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    after = os.times()
    taken = after.children_user + after.children_system - before.children_user - before.children_system
    return done.stdout, taken
