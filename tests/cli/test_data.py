"""Data on the command line."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.foundations.tables import tables

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
