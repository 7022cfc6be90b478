"""The Croissant data set of a run, judged and read back by its published reference library."""

import hashlib
import json
import math
import shutil

import mlcroissant
import numpy as np
import pytest
from mlcroissant._src.core.context import Context
from mlcroissant._src.core.rdf import make_context
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.schemas import SCHEMAS
from pipeline.lineage.croissant import TABLES, write_croissant


@pytest.fixture
def described(finished, tmp_path):
    """The folder that describes the small run."""
    write_croissant(finished, tmp_path / "described")
    return tmp_path / "described"


def _read(folder):
    return mlcroissant.Dataset(folder / "croissant.json")


def _plain(value):
    """A value as mlcroissant gives it, as Python has it; None for what is missing."""
    if isinstance(value, list | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and math.isnan(value) else value


def _files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _file(folder, path):
    content = json.loads((folder / "croissant.json").read_text())
    return next(file for file in content["distribution"] if file["@id"] == path)


def test_the_library_finds_neither_errors_nor_warnings(described):
    issues = _read(described).metadata.issues
    assert (list(issues.errors), list(issues.warnings)) == ([], [])


def test_the_context_is_the_specifications_and_provs(described):
    context = json.loads((described / "croissant.json").read_text())["@context"]
    assert context.pop("prov") == "http://www.w3.org/ns/prov#"
    assert context == make_context(Context(conforms_to="http://mlcommons.org/croissant/1.1"))


@pytest.mark.parametrize("record_set", ["actions", "train", "val", "audio", "text"])
def test_the_library_reads_back_every_row_of_every_table(described, finished, record_set):
    schema, path, _ = TABLES[record_set]
    rows = [
        {name.partition("/")[2]: _plain(value) for name, value in row.items()}
        for row in _read(described).records(record_set)
    ]
    assert rows == tables.read(schema, finished / path).to_pylist()


def test_the_library_refuses_a_table_that_was_changed(described):
    path = described / "data/splits/val.parquet"
    path.unlink()
    tables.write("splits", path, tables.from_rows("splits", [("another", [0], None)]))
    with pytest.raises(mlcroissant.GenerationError) as refused:
        list(_read(described).records("val"))
    assert "hash" in str(refused.value.__cause__).lower()


def test_columns_and_keys_are_the_schemas_own(described):
    content = json.loads((described / "croissant.json").read_text())
    for record_set in content["recordSet"]:
        schema = SCHEMAS[TABLES[record_set["@id"]][0]]
        assert [field["name"] for field in record_set["field"]] == schema.columns.names
        assert [key["@id"].partition("/")[2] for key in record_set["key"]] == list(schema.key)


def test_each_file_has_its_size_and_digest(described, finished):
    file, content = (
        _file(described, "data/lexicons/audio.parquet"),
        (finished / "data/lexicons/audio.parquet").read_bytes(),
    )
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert file["contentSize"] == f"{len(content)} B"


def test_prov_leads_from_the_lexicon_to_the_split_to_the_annotations(described):
    lexicon, split = _file(described, "data/lexicons/audio.parquet"), _file(described, "data/splits/train.parquet")
    actions = _file(described, "data/index/actions.parquet")
    assert {"@id": "data/splits/train.parquet"} in lexicon["prov:wasDerivedFrom"]
    assert {"@id": "data/index/actions.parquet"} in split["prov:wasDerivedFrom"]
    assert [entity["prov:label"] for entity in actions["prov:wasDerivedFrom"]] == ["data/raw/annotations"]


def test_prov_tells_when_with_which_code_parameters_and_programs(described):
    run = _file(described, "data/splits/val.parquet")["prov:wasGeneratedBy"]
    assert run["prov:label"] == "run of stage split_mini"
    assert run["prov:startedAtTime"] < run["prov:endedAtTime"]
    used = [entity.get("prov:label") or entity["prov:value"] for entity in run["prov:used"]]
    assert used == ["stages/split_mini.py", "seed = 7", 'split_mini = {"per_action": 2}']
    assert "dvc 3.67.1" in run["prov:wasAssociatedWith"]["prov:label"]


def test_prov_survives_the_library(described):
    files = _read(described).metadata.to_json()["distribution"]
    generated = [file["prov:wasGeneratedBy"]["prov:label"] for file in files]
    assert set(generated) == {f"run of stage {name}" for name in
                              ("index", "split_mini", "build_audio_lexicon", "build_text_lexicon")}  # fmt: skip


def test_the_same_run_gives_the_same_bytes(described, finished, tmp_path):
    shutil.copytree(finished, tmp_path / "elsewhere")
    write_croissant(tmp_path / "elsewhere", tmp_path / "again")
    assert _files(tmp_path / "again") == _files(described)


def test_a_table_that_is_no_longer_what_it_was_is_refused_by_name(finished, tmp_path):
    (finished / "data/lexicons/text.parquet").write_bytes(b"another")
    with pytest.raises(PlainError, match=r"text\.parquet has changed since build_text_lexicon ran"):
        write_croissant(finished, tmp_path / "described")
    assert not (tmp_path / "described").exists()


def test_a_table_that_no_stage_wrote_is_named(finished, tmp_path):
    lock = finished / "dvc.lock"
    stages = json.loads(lock.read_text())
    del stages["stages"]["build_text_lexicon"]
    lock.write_text(json.dumps(stages))
    with pytest.raises(PlainError, match=r"text\.parquet: no stage in dvc\.lock wrote it; .*dvc repro"):
        write_croissant(finished, tmp_path / "described")


def test_the_command_writes_it_and_says_how_many_tables(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(finished)
    done = CliRunner().invoke(app, ["croissant", str(tmp_path / "described")])
    assert done.exit_code == 0
    assert "6 tables" in done.stderr
    assert (tmp_path / "described/croissant.json").exists()


@pytest.mark.slow
@pytest.mark.xdist_group("pipeline_run")
def test_a_real_run_is_described_without_errors_and_read_back(pipeline_run, tmp_path):
    write_croissant(pipeline_run.root, tmp_path / "described")
    dataset = _read(tmp_path / "described")
    assert list(dataset.metadata.issues.errors) == []
    read = [_plain(row["train/video_id"]) for row in dataset.records("train")]
    assert read == tables.read("splits", pipeline_run.root / "data/splits/train.parquet")["video_id"].to_pylist()
