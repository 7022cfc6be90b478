"""Data on the command line."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.cli.plan import _check_videos
from pipeline.dataset.annotations import Annotations, Video
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.lineage.costs import Costs

run = CliRunner(env={"COLUMNS": "100", "TERM": "dumb"})


def test_import_released_puts_tables_in_place_and_says_how_dvc_learns_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ids = np.arange(2, dtype=np.int16)
    actions = tables.from_columns("actions", {"action_id": ids, "action": ["a", "b"], "words": [["a"], ["b"]]})
    tables.write("actions", tmp_path / "data/index/actions.parquet", actions)
    (tmp_path / "text.pkl").write_bytes(pickle.dumps(np.eye(2), protocol=4))
    result = run.invoke(app, ["import-released", "--text", "text.pkl"])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "data/lexicons/text.parquet: 2 forms of 2",
        "to record them in DVC as these stages' results: dvc commit --force build_text_lexicon",
    ]
    assert tables.vectors(tables.read("text", Path("data/lexicons/text.parquet"))["form"]).tolist() == [[1, 0], [0, 1]]
    nothing = run.invoke(app, ["import-released"])
    assert "give at least one file" in str(nothing.exception)


@pytest.mark.parametrize(
    ("seed", "said"), [([], "seed 0;"), (["--draw-seed", "1"], "seed 1;"), (["--draw-seed", "-1"], "")]
)
def test_import_released_says_which_version_drew_audio_forms_with_which_seed(tmp_path, monkeypatch, seed, said):
    monkeypatch.chdir(tmp_path)
    ids = np.arange(2, dtype=np.int16)
    actions = tables.from_columns("actions", {"action_id": ids, "action": ["a", "b"], "words": [["a"], ["b"]]})
    tables.write("actions", tmp_path / "data/index/actions.parquet", actions)
    names = {"x/1.wav": np.zeros(384), "x/2.wav": np.ones(384)}
    (tmp_path / "audio.pkl").write_bytes(
        pickle.dumps({"label": {0: [*names], 1: [*names]}, "audio": names}, protocol=4)
    )
    result = run.invoke(app, ["import-released", "--audio", "audio.pkl", *seed])
    assert result.exit_code == 0, result.output
    assert ("first published version drew audio forms with seed 1, later ones with 0" in result.output) == bool(said)
    assert said in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--videos", "9"], "--videos without --plan"),
        (["--cores", "2", "--gpu-clips", "5"], "--cores, --gpu-clips without --plan: add it, or leave --cores out"),
        (["--measured"], "--measured without --plan"),
        (["--plan", "--measured", "--videos", "9"], "leave --videos out"),
    ],
)
def test_the_doctor_refuses_options_of_a_plan_that_would_have_no_effect(options, said):
    assert said in str(run.invoke(app, ["doctor", *options]).exception)


def test_a_plan_is_held_against_a_run_of_the_present_videos_alone():
    found = Annotations(("a",), (Video("v", "v.mp4", "train", (0,)),), unlabelled=("u",))
    _check_videos(Costs({}, {}, videos=2, workers=2), found)
    with pytest.raises(PlainError, match="the last run was of 660 videos, and 2 are annotated"):
        _check_videos(Costs({}, {}, videos=660, workers=2), found)
    with pytest.raises(PlainError, match="no run of the present data is recorded here"):
        _check_videos(Costs({}, {}, videos=None, workers=None), found)


@pytest.mark.slow
@pytest.mark.xdist_group("pipeline_run")
def test_the_doctor_finds_a_run_of_the_sample_in_order(pipeline_run, monkeypatch):
    """All is green but for VGGish's weights, which are untrained, and whatever the machine has little of."""
    monkeypatch.chdir(pipeline_run.root)
    result = run.invoke(app, ["doctor"])
    assert result.exit_code == 0, result.stdout
    colours = {line[7:28].strip(): line.split()[0] for line in result.stdout.splitlines() if line[:1] != " "}
    assert colours.pop("vggish") == "yellow"
    assert {colours[name] for name in ("dataset.videos", "files", "words", "backbone", "disk")} == {"green"}
    assert colours["decoding"] in ("green", "yellow")  # of its 104 videos two are cut off
    # The weights are there, 289 MB of them, and not asked for again; of the rest a few MB are an estimate.
    assert re.search(r"nothing more needed|about [\d.]+ (kB|MB) needed", result.stdout)
