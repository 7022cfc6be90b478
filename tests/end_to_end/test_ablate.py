"""`m3a ablate` whole: experiments run and read back, and its tables held against the predictions they left."""

import csv

import numpy as np
import pytest
from dvc.api import DVCFileSystem

from pipeline.ablate.result import FOLDER, read
from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import METRICS
from tests.end_to_end.ablated import running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline_run")]

WHY = "heads: error: transformer.attention_heads: found 11, which does not divide the 384 features of a node"
ROWS = ("gcn", "transformer-merged")
"""Those that can work."""
FREEZE = "data/frozen/dvc.yaml:freeze@ablate"
TABLES = {f"{FOLDER}/relations-frozen-tuned{end}" for end in (".csv", ".md", ".tex", "-trials.tsv")}
ROLES = ("tuned", "untuned")


@pytest.fixture(scope="module")
def result(ablated):
    return read(ablated.root / FOLDER / "relations-frozen-tuned.csv")


@pytest.fixture(scope="module")
def predicted(ablated, tmp_path_factory):
    """The scores and targets that each seed of an experiment left, by row and role."""
    folder = tmp_path_factory.mktemp("predicted")
    actions = tables.read("actions", ablated.root / "data/index/actions.parquet").num_rows
    found = {}
    for row in ROWS:
        kept = DVCFileSystem(str(ablated.root), rev=f"relations-{row}-frozen-tuned")
        kept.get("data/frozen/predictions", str(folder / row), recursive=True)
        for role in ROLES:
            left = [tables.read("predictions", path) for path in sorted((folder / row / role).glob("*.parquet"))]
            found[row, role] = [
                (tables.vectors(one["scores"]), tables.multi_hot(one["actions"], actions)) for one in left
            ]
    return found


def test_a_row_that_cannot_work_is_named_with_its_reason_and_keeps_no_other_from_running(ablated, result):
    assert ablated.status == 1
    assert [(line.row, line.tuning, bool(line.figures)) for line in result.lines] == [
        (row, role, row != "transformer") for row in ("gcn", "transformer", "transformer-merged") for role in ROLES
    ]
    assert [line.failed[: len(WHY)] for line in result.lines] == ["", "", WHY, WHY, "", ""]
    assert ablated.said.splitlines()[-1] == "failed: transformer"
    assert "Traceback" not in ablated.said


def test_figures_are_those_of_the_predictions_of_two_seeds(result, predicted):
    for line in (line for line in result.lines if line.figures):
        assert len(predicted[line.row, line.tuning]) == 2
        for name, metric in METRICS.items():
            own = [metric(scores, targets) for scores, targets in predicted[line.row, line.tuning]]
            figure = line.figures[name]
            assert figure.seeds == 2
            assert figure.mean == pytest.approx(np.mean(own), abs=1e-3)
            assert figure.spread == pytest.approx(np.std(own, ddof=1), abs=1e-3)
            assert figure.interval.low <= figure.mean <= figure.interval.high


@pytest.mark.parametrize("role", ROLES)
def test_the_lead_is_over_the_first_row_of_its_kind_and_lies_in_its_interval(result, role):
    first, _, other = (line.figures for line in result.lines if line.tuning == role)
    for name in METRICS:
        assert first[name].lead is None
        lead = other[name].lead
        assert lead.value == pytest.approx(other[name].mean - first[name].mean, abs=1e-3)
        assert lead.low <= lead.value <= lead.high


def test_the_seeds_differ_and_so_do_the_rows(predicted):
    """Else nothing would be told by a mean over them."""
    (one, _), (two, _) = predicted["gcn", "tuned"]
    assert not np.array_equal(one, two)
    assert not np.array_equal(one, predicted["transformer-merged", "tuned"][0][0])


def test_every_row_has_the_same_trials_and_the_best_is_chosen(ablated, result):
    with (ablated.root / FOLDER / "relations-frozen-tuned-trials.tsv").open(newline="") as file:
        trials = list(csv.DictReader(file, delimiter="\t"))
    for row in ROWS:
        own = [trial for trial in trials if trial["row"] == row]
        assert [trial["frozen.learning_rate"] for trial in own] == ["0.05", "0.5", "5"]
        assert [trial["failed"] for trial in own] == ["", "", ""]
        (chosen,) = (trial for trial in own if trial["chosen"])
        assert float(chosen["val map_sample"]) == max(float(trial["val map_sample"]) for trial in own)
        tuned = next(line for line in result.lines if (line.row, line.tuning) == (row, "tuned"))
        assert tuned.settings.startswith(f"learning_rate {chosen['frozen.learning_rate']}, ")
        assert tuned.settings.endswith("; of 3 trials none diverged")
    assert result.budget.startswith("Budget of each row: 3 trials (frozen.learning_rate 0.05, 0.5, 5 x ")


def test_an_estimate_comes_before_the_work(ablated):
    lines = ablated.said.splitlines()
    estimate = next(n for n, line in enumerate(lines) if "21 trainings of heads on features frozen once" in line)
    assert estimate < next(n for n, line in enumerate(lines) if "experiment 1 of 3: " in line)


def test_tables_are_left_and_printed_with_what_is_published(ablated, result):
    with (ablated.root / FOLDER / "relations-frozen-tuned.csv").open(newline="") as file:
        told = {(row["row"], row["metric"]): row["published"] for row in csv.DictReader(file)}
    assert told["gcn", "map_sample"] == "paper, Mini M-MiT V1: 58.5; authors' model zoo, M-MiT V1: 65.0"
    assert result.data == "sample, test split"
    markdown, latex = ((ablated.root / FOLDER / f"relations-frozen-tuned.{kind}").read_text() for kind in ("md", "tex"))
    assert markdown in ablated.said
    assert "| 55.1 / 79.8 / 58.5 | 60.7 / 85.6 / 65.0 |" in markdown
    assert f"| failed: {WHY}" in markdown
    assert r"failed: heads: error: transformer.attention\_heads" in latex


def test_nothing_else_in_the_working_tree_is_touched(ablated):
    changed = {name for name, digest in ablated.after.items() if ablated.before.get(name) != digest}
    assert changed == TABLES
    assert set(ablated.before) <= set(ablated.after)


def test_what_rows_share_is_made_once(ablated):
    said = ablated.said.splitlines()
    assert said.count(f"Running stage '{FREEZE}':") == 1
    assert said.count(f"Stage '{FREEZE}' is cached - skipping run, checking out outputs") == 2
    assert {line for line in said if line.startswith("> python -m")} == {
        "> python -m stages.freeze", "> python -m stages.heads",
    }  # fmt: skip
    assert said.count("Stage 'prepare_clips' didn't change, skipping") == 3


def test_no_process_is_left_behind(ablated):
    assert running(ablated.root) == []
