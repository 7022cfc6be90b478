"""What the runs behind the present results took."""

import json

import pytest

from pipeline.foundations.runtime.errors import PlainError
from pipeline.lineage.costs import INDEX, Cost, costs

PARAMS = {
    "seed": 7, "index": {"absent": "exclude"}, "split_mini": {"per_action": 2}, "audio_lexicon": {"draw": "fixed"},
    "words": {"size": 2},
}  # fmt: skip
STALE = "has not run since something before it, or a parameter, changed"


def _change(root, stage, **values):
    path = root / f"data/runs/{stage}.jsonl"
    path.write_text(json.dumps(json.loads(path.read_text()) | values) + "\n")


def test_a_stage_takes_its_processes_times_the_bytes_that_are_here_and_the_memory_of_all(finished):
    _change(finished, "build_text_lexicon", cpu_seconds={"self": 1.5, "children": 4.0})
    _change(finished, "build_text_lexicon", peak_memory_mb={"self": 100.0, "largest_child": 80.0, "together": 260.0})
    _change(finished, "index", peak_memory_mb={"self": 150.0}, rows_written={INDEX[0]: 5, INDEX[1]: 1})
    found = costs(finished, PARAMS)
    disk = (finished / "data/lexicons/text.parquet").stat().st_size
    assert found.stages["build_text_lexicon"] == Cost(5.5, disk, 260e6)
    assert found.stages["index"].memory == 150e6
    assert found.stages["split_mini"].memory is None  # a record of before memory was summed
    assert found.left_out == {}
    assert (found.videos, found.workers) == (6, 2)


def test_what_follows_from_a_stage_that_ran_again_is_left_out_until_it_runs_too(finished):
    """As in the lock of a project whose first stages alone ran on other data."""
    lock = json.loads((finished / "dvc.lock").read_text())
    for out in lock["stages"]["split_mini"]["outs"]:
        out["md5"] = "0" * 32
    (finished / "dvc.lock").write_text(json.dumps(lock))
    found = costs(finished, PARAMS)
    assert found.stages.keys() == {"index", "build_text_lexicon"}
    assert found.left_out == {
        "split_mini": "no run that made its result is recorded here", "build_audio_lexicon": STALE,
    }  # fmt: skip


def test_a_changed_parameter_leaves_out_its_stage_and_all_that_follow(finished):
    found = costs(finished, PARAMS | {"split_mini": {"per_action": 3}})
    assert found.stages.keys() == {"index", "build_text_lexicon"}
    assert found.left_out == {"split_mini": STALE, "build_audio_lexicon": STALE}
    assert found.videos is None


def test_a_stage_that_ran_on_a_gpu_is_left_out(finished):
    _change(finished, "build_audio_lexicon", gpus=[{"name": "H100"}], device="H100")
    assert costs(finished, PARAMS).left_out == {"build_audio_lexicon": "ran on H100, and the plan is for CPUs"}


def test_where_nothing_has_run_it_says_so(tmp_path):
    with pytest.raises(PlainError, match="run `dvc repro` first"):
        costs(tmp_path, PARAMS)
