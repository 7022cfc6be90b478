"""A run on imported features is audited, traced and described as one on videos is; nothing is told that is not so."""

import json
import subprocess

import mlcroissant
import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.foundations.tables import tables
from tests.end_to_end.clones import change_params, clone, environment
from tests.end_to_end.test_declared import IMPORTED
from tests.features import ORIGIN, folder, items

pytestmark = pytest.mark.slow
FOLDER = "data/made"


@pytest.fixture(scope="module")
def features_run(tmp_path_factory):
    """A clone after `dvc repro` on a folder of features of 60 videos, whose manifest states a licence."""
    root = clone(tmp_path_factory.mktemp("features") / "clone")
    folder(root / FOLDER, ORIGIN._replace(title="made features", licence="CC-BY-4.0", standardize=True, constant=1.0))
    change_params(root, IMPORTED | {"dataset": IMPORTED["dataset"] | {"folder": FOLDER}})
    run = subprocess.run(
        ["dvc", "repro"], cwd=root, env=environment(), capture_output=True, text=True, timeout=900, check=False
    )
    assert run.returncode == 0, (run.stdout + run.stderr)[-4000:]
    return root


@pytest.fixture
def inside(features_run, monkeypatch):
    monkeypatch.chdir(features_run)
    return features_run


def _ask(*command: str) -> str:
    done = CliRunner().invoke(app, list(command))
    assert done.exit_code == 0, done.output[-3000:]
    return done.stdout


def _find(node, label):
    found = [node] if node["label"] == label else []
    return found + [hit for child in node["children"] for hit in _find(child, label)]


def test_the_audit_is_green(inside):
    checks = json.loads(_ask("audit", "--json"))
    assert (checks["red"], checks["green"] > 100) == (0, True)


def test_the_audit_tells_a_file_of_features_that_changed(inside):
    part = next((inside / FOLDER / "features").iterdir())
    before = part.read_bytes()
    part.write_bytes(before + b"more")
    try:
        done = CliRunner().invoke(app, ["audit", "--json"])
    finally:
        part.write_bytes(before)
    red = [check for check in json.loads(done.stdout)["checks"] if not check["green"]]
    assert "videos" in {check["group"] for check in red}
    assert any(part.name in check["finding"] for check in red)


def test_a_metric_leads_up_to_the_folder_of_features(inside):
    tree = json.loads(_ask("trace", "map_sample", "--json"))
    assert _find(tree, f"{FOLDER}/annotations")
    assert {"index", "prepare_clips", "train", "evaluate"} <= {node["detail"] for node in _find(tree, "made by")}


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_video_tells_its_vectors_file_sound_and_uses(inside, split):
    numbers = {item.video_id: int(item.video_id[1:]) for item in items() if item.split == split}
    audible = next(name for name, number in sorted(numbers.items()) if number % 5 and number % 4)
    tree = json.loads(_ask("trace", audible, "--json"))
    (file,) = _find(tree, "file")
    assert file["detail"].startswith("visual-")
    (sound,) = _find(tree, "sound")
    assert (sound["detail"], sound["children"]) == ("audible", [])  # of loudness and length nothing is known
    (embedding,) = _find(tree, "sound embedding")
    assert embedding["detail"].startswith("6 values")
    assert "nan" not in json.dumps(tree).lower()
    used = {child["label"]: child["detail"] for child in _find(tree, "went into")[0]["children"]}
    assert used.get("models/m3a") == ("trained on it" if split == "train" else None)
    assert used.get("data/metrics.json") == ("scored on it, among others" if split == "test" else None)


def test_an_action_is_told_from_the_tables(inside):
    tree = json.loads(_ask("trace", "singing", "--json"))
    assert " forms" in _find(tree, "audio lexicon")[0]["detail"]


def test_croissant_tells_the_width_of_the_forms_and_the_datas_own_name_and_licence(inside, tmp_path):
    _ask("croissant", str(tmp_path / "described"))
    dataset = mlcroissant.Dataset(tmp_path / "described/croissant.json")
    assert (list(dataset.metadata.issues.errors), list(dataset.metadata.issues.warnings)) == ([], [])
    content = json.loads((tmp_path / "described/croissant.json").read_text())
    assert "Mini M-MiT" not in json.dumps(content)
    assert "made features" in content["description"]
    assert "CC-BY-4.0" in content["license"]
    (shape,) = [field["arrayShape"] for part in content["recordSet"] for field in part["field"]
                if field["@id"] == "audio/form"]  # fmt: skip
    assert shape == "6"
    forms = [row["audio/form"] for row in dataset.records("audio")]
    whole = tables.vectors(tables.read("audio", inside / "data/lexicons/audio.parquet")["form"])
    np.testing.assert_array_equal(np.array(forms, np.float32), whole)
