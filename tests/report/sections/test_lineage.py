"""The tree behind the metrics, and what is told of each stage."""

import pytest

from pipeline.foundations.params import load_params
from pipeline.report.sections.lineage import lineage
from pipeline.report.stage_counts import stage_counts


@pytest.fixture(scope="module")
def told(run_tables, stages, finished):
    values = load_params(finished / "params.yaml").model_dump(mode="json")
    return lineage(run_tables, stages, stage_counts(run_tables), values)


@pytest.fixture(scope="module")
def step(told):
    return {step.name: step for step in told.steps}


def _walk(branch):
    yield branch
    for below in branch.below:
        yield from _walk(below)


def test_the_tree_goes_from_the_metrics_to_every_stage_behind_them_and_tells_each_once(told, stages):
    branches = list(_walk(told.tree))
    told_once = [branch.step.name for branch in branches if not branch.again]
    assert told_once[0] == "evaluate"
    assert sorted(told_once) == sorted(stage.name for stage in stages if stage.name not in ("explain", "report"))
    assert all(not branch.below for branch in branches if branch.again)


def test_below_a_stage_stand_those_that_it_read_from(told):
    train = next(branch for branch in _walk(told.tree) if branch.step.name == "train" and not branch.again)
    assert {"prepare_clips", "build_audio_lexicon", "build_text_lexicon", "build_adjacency"} <= {
        branch.step.name for branch in train.below
    }


def test_a_file_leads_to_the_output_that_it_lies_in(step):
    read = {read.path: [(out.stage, out.path) for out in read.made] for read in step["evaluate"].read}
    assert ("split_mini", "data/splits/test.parquet") in read["data/splits"]
    assert read["models/pretrained/weights.json"] == [("fetch_weights", "models/pretrained")]
    assert read["data/raw/sample"] == [("render", "data/raw/sample")]
    made = [read.made for read in step["fetch_weights"].read if read.path.startswith("data/external")]
    assert made
    assert not any(made)


def test_parameters_have_the_runs_values_also_of_whole_sections(step, finished):
    params = load_params(finished / "params.yaml")
    settings = dict(step["build_adjacency"].parameters)
    assert settings["adjacency.threshold"] == str(params.adjacency.threshold)
    assert f'"per_action": {params.split_mini.per_action}' in dict(step["split_mini"].parameters)["split_mini"]


def test_code_is_apart_from_data(step):
    assert "stages/whiten.py" in step["whiten"].code
    assert not [read.path for read in step["whiten"].read if read.path.endswith(".py")]


def test_weights_tell_their_source_and_digest_where_they_were_fetched(step):
    assert dict(step["fetch_weights"].weights)["words.bin"] == (
        ("trained", "yes"), ("from", "glove.txt"), ("SHA-256", "910e"),
    )  # fmt: skip
    assert step["train"].weights == ()
