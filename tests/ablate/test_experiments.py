from pathlib import Path

from dvc.utils.cli_parse import to_path_overrides
from hydra.core.override_parser.overrides_parser import OverridesParser

from pipeline.ablate import experiments
from pipeline.ablate.experiments import plan
from pipeline.ablate.rows import ABLATIONS, TABLE1, TABLE3
from pipeline.ablate.tuning import JOINT_GRID

ROOT = Path(__file__).resolve().parents[2]


def parsed(job, file="params.yaml"):
    """What DVC's own parsers make of an experiment's overrides for a file."""
    found = {}
    for override in OverridesParser.create().parse_overrides(to_path_overrides(job.overrides)[file]):
        assert override.is_sweep_override() is False
        found[override.key_or_group] = override.value()
    return found


def test_joint_training_is_an_experiment_a_seed():
    jobs = plan(TABLE1, TABLE1.rows[:2], mode="joint", seeds=2, extra={})
    assert [job.name for job in jobs] == [
        "table1-fc-joint-1",
        "table1-fc-joint-2",
        "table1-visual-joint-1",
        "table1-visual-joint-2",
    ]
    assert [parsed(job)["train.seed_offset"] for job in jobs] == [0, 1, 0, 1]
    assert parsed(jobs[0])["model.heads"] == ["fc"]
    assert parsed(jobs[0])["model.late_fusion"] is False


def test_frozen_training_is_an_experiment_a_row():
    rows = [row for row in TABLE1.rows if row.name == "all"]
    (job,) = plan(TABLE1, rows, mode="frozen", seeds=5, extra={})
    assert job.name == "table1-all-frozen"
    assert parsed(job) == {
        "model.heads": ["visual", "audio", "text"], "model.control": "none", "model.late_fusion": False,
        "frozen.repeats": 5, "frozen.tune": False,
    }  # fmt: skip
    assert parsed(job, "data/frozen/params.yaml") == {"runs": ["ablate"]}


def test_a_file_that_git_does_not_track_is_named_so_that_a_copy_of_the_project_finds_it(tmp_path, monkeypatch):
    rows = [row for row in TABLE3.rows if row.name == "v1-mmit-visual-audio"]
    monkeypatch.setattr(experiments, "_preset", lambda row: {})
    monkeypatch.chdir(tmp_path)
    (job,) = plan(TABLE3, rows, mode="joint", seeds=1, extra={})
    assert parsed(job)["vggish.handle"] == "models/soundnet.safetensors"
    (tmp_path / "models").mkdir()
    (tmp_path / "models/soundnet.safetensors").touch()
    (job,) = plan(TABLE3, rows, mode="joint", seeds=1, extra={})
    assert parsed(job)["vggish.handle"] == str(tmp_path / "models/soundnet.safetensors")


def test_what_is_asked_for_every_row_wins_over_the_rows_own():
    extra = {"backbone.weights": "/a b/weights.safetensors", "train.jitter": [56, 60]}
    (job,) = plan(ABLATIONS["backbones"], ABLATIONS["backbones"].rows[:1], mode="joint", seeds=1, extra=extra)
    assert parsed(job)["backbone.weights"] == "/a b/weights.safetensors"
    assert parsed(job)["train.jitter"] == [56, 60]


def test_a_preset_comes_with_all_that_differs_but_not_with_how_the_work_is_done(monkeypatch):
    monkeypatch.chdir(ROOT)
    values = parsed(plan(TABLE3, TABLE3.rows[:1], mode="joint", seeds=1, extra={})[0])
    assert values["dataset.source"] == "mmit"
    assert values["split_mini.draw"] == "all"
    assert values["backbone.weights"].startswith("https://")
    assert values["model.heads"] == ["visual"]
    assert not [key for key in values if key.startswith("execution.")]
    assert "adjacency.threshold" not in values


def test_a_joint_trial_goes_no_further_than_the_validation_split():
    jobs = experiments.joint_trials(TABLE1.rows[0], "table1-fc-joint", {}, JOINT_GRID, seed=1000)
    assert [job.name for job in jobs[:2]] == ["table1-fc-joint-trial-1", "table1-fc-joint-trial-2"]
    assert {job.target for job in jobs} == {"train"}
    values = parsed(jobs[-1])
    assert (values["train.seed_offset"], values["train.head_rate"], values["train.head_weight_decay"]) == (
        1000, 1000.0, 1e-7,
    )  # fmt: skip
    assert values["model.heads"] == ["fc"]


def test_a_tuned_row_on_frozen_features_is_an_experiment_of_its_own():
    (job,) = plan(TABLE1, TABLE1.rows[:1], mode="frozen", seeds=5, extra={}, tune=True)
    assert job.name == "table1-fc-frozen-tuned"
    assert parsed(job)["frozen.tune"] is True
