"""Choosing among trials: the same for every row, by validation alone; a diverged trial counts and is never chosen."""

import csv
import io

import pytest

from pipeline.ablate import tuning
from pipeline.ablate.ablate import trials_text
from pipeline.ablate.tuning import Trial
from pipeline.foundations.tables import tables

NAN = float("nan")


@pytest.fixture
def table():
    """Two settings tried, one of which diverged; then a fresh seed of either role."""
    rows = [
        ("tuning", 0, 9000, 0.05, 1e-4, 24, 48.0, False, False),
        ("tuning", 1, 9000, 2.0, 0.0, 48, 60.5, False, True),
        ("tuning", 2, 9000, 5.0, 0.0, 48, NAN, True, False),
        ("untuned", 0, 2021, 0.05, 1e-4, 24, 47.0, False, False),
        ("tuned", 1, 2021, 2.0, 0.0, 48, 61.0, False, True),
    ]
    names = ("role", "trial", "seed", "learning_rate", "weight_decay", "epochs", "map_sample", "diverged", "chosen")
    return tables.from_columns("trials", dict(zip(names, zip(*rows, strict=True), strict=True)))


def test_the_trials_of_a_row_are_those_of_its_tuning(table):
    trials = tuning.of_table("fc", table)
    assert [(trial.row, trial.number, trial.failed, trial.chosen) for trial in trials] == [
        ("fc", 0, "", False), ("fc", 1, "", True), ("fc", 2, "diverged", False),
    ]  # fmt: skip
    assert trials[1].settings == {"frozen.learning_rate": 2.0, "frozen.weight_decay": 0.0, "frozen.epochs": 48}


def test_what_was_chosen_is_told_with_what_diverged(table):
    chosen = tuning.settings_of(table, "tuned")
    assert tuning.told(chosen, tuning.of_table("fc", table)) == (
        "learning_rate 2, weight_decay 0, epochs 48; of 3 trials 1 diverged"
    )
    assert tuning.told(tuning.settings_of(table, "untuned")) == "learning_rate 0.05, weight_decay 0.0001, epochs 24"
    rows = [row for row in table.to_pylist() if row["role"] != "tuned"]
    assert (
        tuning.settings_of(tables.from_columns("trials", {n: [r[n] for r in rows] for n in rows[0]}), "tuned") is None
    )


def test_the_best_on_validation_is_chosen_the_first_of_equals_and_none_that_diverged():
    settings = tuning.JOINT_GRID
    scores = [50.0, 61.0, NAN, 61.0]
    trials = [
        Trial("fc", n, 1000, settings[n], score, "diverged" if score != score else "") for n, score in enumerate(scores)
    ]
    assert tuning.best_of(trials) is trials[1]
    assert tuning.best_of(trials[2:3]) is None


def test_the_joint_grid_lies_around_the_settings_as_they_are_and_weakens_the_decay_as_the_rate_rises(params):
    as_set = {"train.head_rate": params.train.head_rate, "train.head_weight_decay": params.train.head_decay}
    assert tuning.JOINT_GRID.index(as_set) == 1
    shrinks = [setting["train.head_rate"] * setting["train.head_weight_decay"] for setting in tuning.JOINT_GRID]
    assert shrinks == pytest.approx([1e-4] * 5, rel=1e-12)
    assert [setting["train.head_rate"] for setting in tuning.JOINT_GRID] == [0.1, 1.0, 10.0, 100.0, 1000.0]


def test_the_budget_names_the_grid_and_how_many_trials(params):
    frozen = params.frozen.model_copy(
        update={
            "tune_learning_rates": (0.05, 2.0), "tune_weight_decays": (0.0,), "tune_epochs": (24, 48), "tune_seeds": 2,
        }
    )  # fmt: skip
    params = params.model_copy(update={"frozen": frozen})
    assert tuning.trials_of(params, "frozen") == 8
    told = tuning.budget(params, "frozen")
    assert told.startswith("Budget of each row: 8 trials (frozen.learning_rate 0.05, 2 x frozen.weight_decay 0 x ")
    assert "2 seeds each), chosen by mAP (by video) on the validation split; then trained with other seeds" in told
    assert tuning.budget(params, "joint").startswith(
        "Budget of each row: 5 trials (train.head_rate 0.1, 1, 10, 100, 1000 with train.head_weight_decay 0.001, "
        "0.0001, 1e-05, 1e-06, 1e-07; one seed each), chosen by"
    )


def test_every_trial_is_listed_diverged_ones_too(table):
    rows = list(csv.DictReader(io.StringIO(trials_text(tuning.of_table("fc", table))), delimiter="\t"))
    assert [(row["val map_sample"], row["failed"], row["chosen"]) for row in rows] == [
        ("48.0000", "", ""), ("60.5000", "", "yes"), ("", "diverged", ""),
    ]  # fmt: skip
    assert rows[1]["frozen.learning_rate"] == "2"
