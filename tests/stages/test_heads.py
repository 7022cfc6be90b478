"""Stage heads on the miniature's features; freeze itself is run by tests/end_to_end."""

import json
from functools import partial

import numpy as np
import pytest

from pipeline.evaluate.frozen import predict
from pipeline.foundations.params import load_params
from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import map_sample, map_sample_of_each
from pipeline.model.design import Design
from pipeline.train.frozen import BACKBONE, HeadTrainer, freeze, frozen_splits
from pipeline.train.heads import Trial
from pipeline.train.inputs import Inputs
from stages import heads
from tests.stages.test_train import ROOT
from tests.train.miniature import SMALL, changed, write_inputs, write_params

C = 128  # features of r3d_tiny


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder as stage freeze leaves it; runs stage heads there with changed parameters."""
    write_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    params = changed(load_params(ROOT / "params.yaml"), SMALL | {"frozen": SMALL["frozen"] | {"backbone": "start"}})
    how = {"train": params.train, "frozen": params.frozen, "seed": 7, "execution": params.execution}
    freeze(heads.FEATURES, Inputs(), design=Design.of(params), metrics={}, **how)
    random = np.random.default_rng(0)
    rows = [(f"v{row:02d}", [row % 3], random.standard_normal(C).tolist(), [1, 1, C], "") for row in range(20, 26)]
    tables.write("view_features", heads.VIEW_FEATURES, tables.from_rows("view_features", rows))

    def run(**changes):
        asked = changed(params, changes)
        write_params(tmp_path, asked)
        heads.main()
        return asked, json.loads(heads.FIGURES.read_text()), tables.read("trials", heads.TRIALS).to_pylist()

    return run


def test_untuned_heads_are_scored_from_each_seed(project):
    params, figures, trials = project()
    files = sorted(path.name for path in (heads.PREDICTIONS / "untuned").iterdir())
    assert files == ["000.parquet", "001.parquet"]
    assert sorted(path.name for path in heads.PREDICTIONS.iterdir()) == ["untuned"]
    assert [(row["role"], row["seed"] - params.seed) for row in trials] == [("untuned", 0), ("untuned", 1)]
    assert {"untuned", "videos"} == set(figures)
    scored = [tables.read("predictions", heads.PREDICTIONS / "untuned" / name) for name in files]
    own = [map_sample(tables.vectors(one["scores"]), tables.multi_hot(one["actions"], 3)) for one in scored]
    assert figures["untuned"]["map_sample"] == pytest.approx(np.mean(own), abs=1e-4)


def test_tuning_records_every_trial_and_scores_the_choice_beside_the_untuned_heads(project):
    params, figures, trials = project(frozen={"tune": True, "tune_learning_rates": (0.01, 1e30)})
    tuning = [row for row in trials if row["role"] == "tuning"]
    assert len(tuning) == 2 * 2 * 2
    assert figures["tuning"] == {"settings": 4, "seeds": 2, "diverged": 4}
    assert {row["learning_rate"] for row in tuning if row["diverged"]} == {1e30}
    assert all(np.isnan(row["map_sample"]) for row in tuning if row["diverged"])
    means = {}
    for row in tuning:
        means.setdefault((row["trial"], row["learning_rate"], row["weight_decay"], row["epochs"]), []).append(row)
    best = max((key for key in means if key[1] == 0.01), key=lambda key: np.mean([r["map_sample"] for r in means[key]]))
    assert {row["trial"] for row in trials if row["chosen"]} == {best[0]}
    assert (figures["tuned"]["learning_rate"], figures["tuned"]["epochs"]) == (best[1], best[3])
    trainer = HeadTrainer(
        partial(frozen_splits, heads.FEATURES), Inputs(), Design.of(params), backbone=heads.FEATURES / BACKBONE,
        schedule=params.frozen, train=params.train, metric=map_sample_of_each, execution=params.execution,
    )  # fmt: skip
    (alone,) = trainer.fit([Trial(params.seed, *best[1:])], keep=True)
    expected = predict(heads.VIEW_FEATURES, trainer.model(alone), Inputs().whitened, params.evaluate)
    found = tables.read("predictions", heads.PREDICTIONS / "tuned/000.parquet")
    np.testing.assert_allclose(tables.vectors(found["scores"]), tables.vectors(expected["scores"]), rtol=1e-4)
    assert len(list((heads.PREDICTIONS / "untuned").iterdir())) == 2


def test_where_untuned_heads_diverge_the_tuned_ones_are_still_there(project):
    _, figures, trials = project(frozen={"tune": True, "learning_rate": 1e30})
    assert figures["untuned"] == {"seeds": 2, "diverged": 2}
    assert not (heads.PREDICTIONS / "untuned").exists()
    assert len(list((heads.PREDICTIONS / "tuned").iterdir())) == 2
    assert all(row["diverged"] for row in trials if row["role"] == "untuned")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"frozen": {"learning_rate": 1e30}}, "heads: error: the loss is not a finite number from seed 2021; lower"),
        (
            {"frozen": {"tune": True}, "evaluate": {"split": "val"}},
            "heads: error: frozen.tune chooses rates on the validation split, and evaluate.split is val",
        ),
    ],
)
def test_an_error_is_one_line_and_leaves_nothing(project, capfd, changes, sentence):
    with pytest.raises(SystemExit) as status:
        project(**changes)
    assert status.value.code == 1
    assert capfd.readouterr().err.splitlines()[-1].startswith(sentence)
    assert not heads.PREDICTIONS.exists()
