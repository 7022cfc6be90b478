"""The larger project has the smaller one's videos several times."""

import csv
from collections import Counter

import numpy as np
import pytest

from pipeline.bench import memory
from pipeline.dataset import mmit
from pipeline.dataset.sample.render import render_sample
from pipeline.foundations.params import load_params


@pytest.fixture(scope="module")
def sample(tmp_path_factory, params):
    render = params.render.model_copy(
        update={"train": 3, "validation": 1, "test": 1, "truncated": 0, "seconds": 0.5, "hidden": 0.0}
    )
    target = tmp_path_factory.mktemp("small") / "sample"
    render_sample(target, render, params.execution)
    return target


def test_every_video_is_there_under_every_name_with_its_labels_and_places(sample, tmp_path):
    memory.repeat_sample(sample, tmp_path / "large", 3)
    small, large = mmit.read(sample), mmit.read(tmp_path / "large")
    assert Counter(video.split for video in large.videos) == {"train": 9, "val": 3, "test": 3}
    labels = Counter(video.actions for video in small.videos)
    assert Counter(video.actions for video in large.videos) == {actions: 3 * n for actions, n in labels.items()}
    assert all((tmp_path / "large/videos" / video.path).stat().st_size > 1000 for video in large.videos)
    with (tmp_path / "large/places.csv").open() as file:
        placed = {row["video"] for row in csv.DictReader(file)}
    assert placed == {video.path for video in large.videos}


def test_a_stage_runs_in_such_a_project_and_its_memory_is_told(sample, tmp_path, params):
    memory.make_project(tmp_path / "project", params)
    assert load_params(tmp_path / "project/params.yaml").train.epochs == 1
    memory.repeat_sample(sample, tmp_path / "project/data/raw/sample", 1)
    alone = memory.peak(tmp_path / "project", "index")
    ballast = np.ones(60_000_000)  # 480 MB here are none of the stage's, whatever a machine's libraries take
    assert 20 < memory.peak(tmp_path / "project", "index") < alone + ballast.nbytes / 1e6 / 2
