"""What is said before work begins: trainings by the plan, minutes by what the stages' records say."""

import json
from datetime import UTC, datetime

import pytest

from pipeline.ablate.estimate import Work, estimate, work
from pipeline.ablate.rows import TABLE1
from pipeline.foundations.runtime import record_store

ROWS = TABLE1.rows[:2]


@pytest.fixture
def few(params):
    grid = {"tune_learning_rates": (0.05, 2.0), "tune_weight_decays": (0.0,), "tune_epochs": (24, 48), "tune_seeds": 1}
    return params.model_copy(update={"frozen": params.frozen.model_copy(update=grid)})


def record(root, stage, seconds, *, outcome="finished", day=1, rows=()):
    """Leave a stage's record in a project without DVC, as `pipeline.foundations.runtime.record` does."""
    place = record_store.folder(root) / stage
    place.mkdir(parents=True, exist_ok=True)
    started = datetime(2026, 1, day, tzinfo=UTC).isoformat()
    content = {"id": f"{stage}{day}", "stage": stage, "key": "k", "started": started, "seconds": seconds}
    content |= {"outcome": outcome, "rows_written": dict(rows)}
    (place / f"{day}{record_store.DONE}").write_text(json.dumps(content))


def test_trainings_of_a_table(few):
    assert work(ROWS, few, mode="joint", seeds=3, tune=False) == Work(6, 6)
    assert work(ROWS, few, mode="joint", seeds=3, tune=True) == Work(2 * (3 + 5 + 3), 12)
    assert work(ROWS, few, mode="frozen", seeds=5, tune=False) == Work(10, 10)
    assert work(ROWS, few, mode="frozen", seeds=5, tune=True) == Work(2 * (5 + 4 + 5), 20)


@pytest.mark.parametrize("mode", ["joint", "frozen"])
def test_without_a_record_no_minutes_are_claimed(few, tmp_path, mode):
    told = estimate(ROWS, few, mode=mode, seeds=3, tune=False, root=tmp_path)
    assert told.startswith("2 rows, 6 trainings of ")
    assert told.endswith("have not run here before, so how long they take is not known")


def test_minutes_of_joint_training_leave_the_test_split_out_of_trials(few, tmp_path):
    record(tmp_path, "train", 100.0)
    record(tmp_path, "evaluate", 20.0)
    told = estimate(ROWS, few, mode="joint", seeds=3, tune=True, root=tmp_path)
    assert told == "2 rows, 22 trainings of whole models: about 41 minutes, less what is in DVC's cache"  # 2200 + 240 s


def test_minutes_of_frozen_heads_are_by_training_and_of_the_last_run_that_finished(few, tmp_path):
    record(tmp_path, "freeze", 300.0)
    record(tmp_path, "heads", 999.0, rows={"data/frozen/trials.parquet": 3}, day=1)
    record(tmp_path, "heads", 60.0, rows={"data/frozen/trials.parquet": 20}, day=2)
    record(tmp_path, "heads", 1.0, outcome="failed", day=3)
    told = estimate(ROWS, few, mode="frozen", seeds=5, tune=True, root=tmp_path)
    assert told.startswith("2 rows, 28 trainings of heads on features frozen once: about 6 minutes")  # 300 + 28 x 3 s
