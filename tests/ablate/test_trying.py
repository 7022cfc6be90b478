"""The verdict on a change: its words are what the interval allows, and its runs are removed whatever happens."""

import numpy as np
import pytest

from pipeline.ablate import dvc_runs, experiments
from pipeline.ablate.trying import CHANGED, CURRENT, Verdict, attempt
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.metrics.intervals import Estimate
from pipeline.metrics.metrics import METRICS
from tests.ablate.conftest import figures_of

ACTIONS = 4


@pytest.mark.parametrize(
    ("lead", "seeds", "said"),
    [
        (Estimate(4.0, 1.0, 7.0), 3, "better: map_sample +4.0 points (+1.0 to +7.0)"),
        (Estimate(-4.0, -7.0, -1.0), 3, "worse: map_sample -4.0 points (-7.0 to -1.0)"),
        (Estimate(2.0, -1.0, 5.0), 3, "not told apart: map_sample +2.0 points (-1.0 to +5.0)"),
        (Estimate(4.0, 1.0, 7.0), 1, "no verdict from one seed, since training noise is not in its interval"),
    ],
)
def test_a_verdict_is_what_the_interval_allows(lead, seeds, said):
    assert Verdict(figures_of(50.0, None, seeds), figures_of(54.0, lead, seeds)).sentence.startswith(said)


def test_other_videos_cannot_be_compared():
    with pytest.raises(PlainError, match="scores other videos"):
        _ = Verdict(figures_of(50.0, None), figures_of(54.0, None)).sentence


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Experiments that leave predictions at once: the changed ones better; what was run, and what removed."""
    monkeypatch.chdir(tmp_path)
    done: dict[str, list[str]] = {"run": [], "removed": []}

    def predictions(name):
        targets = np.eye(ACTIONS, dtype=bool)[np.arange(40) % ACTIONS]
        noise = np.random.default_rng(len(name) + int(name[-1])).random(targets.shape)
        scores = noise + (2.0 if CHANGED in name else 0.2) * targets
        columns = {
            "video_id": [f"v{n:02d}" for n in range(40)],
            "actions": [np.flatnonzero(own).tolist() for own in targets],
            "scores": scores.astype(np.float32),
        }
        return tables.from_columns("predictions", columns)

    monkeypatch.setattr(dvc_runs, "run_one", lambda job: done["run"].append(job.name))
    monkeypatch.setattr(dvc_runs, "remove", done["removed"].extend)
    monkeypatch.setattr(experiments, "predictions", predictions)
    return done


def test_both_are_trained_from_as_many_seeds_and_then_removed(runs, params):
    verdict = attempt({"model.heads": ["fc"]}, params, mode="joint", seeds=3)
    names = [f"try-{row}-joint-{seed}" for row in (CURRENT, CHANGED) for seed in (1, 2, 3)]
    assert runs == {"run": names, "removed": names}
    assert set(verdict.changed) == set(METRICS)
    assert verdict.changed["map_sample"].lead_seeds == 3
    assert verdict.sentence.startswith("better: map_sample +")


def test_a_run_that_fails_leaves_no_experiment(runs, params, monkeypatch):
    def fail(job):
        raise PlainError(f"{job.name}: train: error: train.batch is 32, but there are only 7 training videos")

    monkeypatch.setattr(dvc_runs, "run_one", fail)
    with pytest.raises(PlainError, match=r"^try-current-joint-1: train: error: train\.batch"):
        attempt({"train.batch": 16}, params, mode="joint", seeds=2)
    assert len(runs["removed"]) == 4
