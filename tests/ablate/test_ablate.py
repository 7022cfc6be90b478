"""What a table is called, and which experiments a tuned table of joint training takes."""

from pathlib import Path

import pytest

from pipeline.ablate import ablate, dvc_runs, experiments
from pipeline.ablate.ablate import data_set
from pipeline.ablate.rows import CONTROLS
from pipeline.foundations.tables import tables


@pytest.mark.parametrize(
    ("dataset", "render", "name"),
    [
        ({}, {}, "sample"),
        ({}, {"test": 20}, "sample"),
        ({}, {"train": 2000, "validation": 1000, "test": 7000}, "sample-10000"),
        ({"source": "features", "folder": "data/external/audioset"}, {}, "audioset"),
        ({"source": "mmit"}, {"test": 7000}, "mmit"),
    ],
)
def test_a_table_is_named_by_its_data(params, dataset, render, name):
    changed = {
        "dataset": params.dataset.model_copy(update=dataset), "render": params.render.model_copy(update=render),
    }  # fmt: skip
    assert data_set(params.model_copy(update=changed)) == name


@pytest.fixture
def run(params, monkeypatch, tmp_path):
    """`m3a ablate controls --tune`, two rows and seeds, from made-up results: which experiments it runs, and the table.

    Of the model's trials the second is best, as params.yaml has it; of the linear layer's the fourth; the last diverge.
    """
    ran = []
    scores = {"model": [50.0, 60.0, 40.0, 30.0], "fc": [20.0, 30.0, 40.0, 50.0]}
    columns = {"video_id": ["v1", "v2"], "scores": [[0.9, 0.1], [0.2, 0.8]], "actions": [[0], [1]]}

    def pretend(jobs, *, at_once):
        ran.append([job.name for job in jobs])
        return {job.name: "the loss is not a finite number" for job in jobs if job.name.endswith("trial-5")}

    monkeypatch.setattr(dvc_runs, "run", pretend)
    monkeypatch.setattr(experiments, "validation", lambda name: scores[name.split("-")[1]][int(name[-1]) - 1])
    monkeypatch.setattr(experiments, "predictions", lambda _: tables.from_columns("predictions", columns))
    (tmp_path / "params").symlink_to(Path("params").absolute())
    monkeypatch.chdir(tmp_path)
    (result,) = ablate.ablate(CONTROLS, params, mode="joint", seeds=2, only=["model", "fc"], extra={}, tune=True)
    return ran, result


def test_each_row_has_the_same_trials_and_all_of_them_run_first(run):
    (trials, _), _ = run
    assert trials == [f"controls-{row}-joint-trial-{number}" for row in ("model", "fc") for number in range(1, 6)]


def test_a_row_that_keeps_its_settings_is_not_trained_again(run):
    (_, scored), result = run
    assert sorted(scored) == [
        "controls-fc-joint-1", "controls-fc-joint-2", "controls-fc-joint-tuned-1", "controls-fc-joint-tuned-2",
        "controls-model-joint-1", "controls-model-joint-2",
    ]  # fmt: skip
    assert {(line.row, line.tuning): line.figures["map_sample"].seeds for line in result.lines} == {
        (row, role): 2 for row in ("model", "fc") for role in ("tuned", "untuned")
    }
    settings = {line.row: line.settings for line in result.lines if line.tuning == "tuned"}
    assert settings["model"] == "head_rate 1, head_weight_decay 0.0001; of 5 trials 1 diverged"
    assert settings["fc"] == "head_rate 100, head_weight_decay 1e-06; of 5 trials 1 diverged"
