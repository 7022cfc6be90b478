"""The crate of a run, judged by the published validator of its profiles."""

import hashlib
import json
import re
import shutil
import subprocess
from importlib import resources

import pytest
import requests
import requests_cache
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.foundations.runtime import record_store
from pipeline.foundations.runtime.errors import PlainError
from pipeline.lineage.crate import write_crate
from tests.extras import WITHOUT

ROCrate = pytest.importorskip("rocrate.rocrate", reason=WITHOUT["crate"]).ROCrate

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
BIOSCHEMAS_1_1 = {
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}
"""Where the terms of RO-Crate 1.1 differ from those of 1.3, whose context rocrate brings along."""

PLAIN = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
UNKNOWN = {
    "The Action SHOULD have an agent that is a Person or Organization",
    "The Application SHOULD have a url",
    "The Main Workflow SHOULD comply with Bioschemas ComputationalWorkflow profile version 1.0 or later",
    "The Root Data Entity SHOULD have a link to a Contextual Entity representing the `author` of the RO-Crate",
    "The SoftwareApplication id SHOULD be an absolute URI",
    "The `publisher` property of a `Root Data Entity` SHOULD be an `Organization`",
}
"""Recommended, and not to be made up: who ran it, who publishes it, and where on the web the code lies."""


@pytest.fixture(scope="session")
def web(tmp_path_factory):
    """A cache of the web that holds RO-Crate's context, and nothing else, for the validator to work offline."""
    path = tmp_path_factory.mktemp("web") / "cache"
    context = json.loads(resources.files("rocrate").joinpath("data/ro-crate.jsonld").read_text(encoding="utf-8"))
    context["@context"] |= BIOSCHEMAS_1_1
    response = requests.Response()
    response.status_code, response.url = 200, CONTEXT
    response._content = json.dumps(context).encode()
    response.headers["Content-Type"] = "application/ld+json"
    response.request = requests.Request("GET", CONTEXT).prepare()
    response.raw = requests_cache.CachedHTTPResponse(body=response._content, status=200)
    with requests_cache.CachedSession(str(path), backend="sqlite", expire_after=-1) as session:
        session.cache.save_response(response)
    return path


@pytest.fixture
def crate(finished, tmp_path):
    """The crate of the small run."""
    write_crate(finished, tmp_path / "crate")
    return tmp_path / "crate"


def _issues(crate, web, severity):
    settings = ValidationSettings(
        rocrate_uri=str(crate), profile_identifier="provenance-run-crate", requirement_severity=severity,
        cache_path=web, offline=True,
    )  # fmt: skip
    return services.validate(settings).get_issues()


def _files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_has_all_that_the_profile_requires_and_what_it_recommends_as_far_as_we_know_it(crate, web):
    issues = _issues(crate, web, Severity.RECOMMENDED)
    assert [issue.message for issue in issues if issue.severity >= Severity.REQUIRED] == []
    assert {issue.message for issue in issues} == UNKNOWN


@pytest.mark.parametrize("left_out", ["instrument", "object"])
def test_the_validator_sees_what_is_left_out(crate, web, left_out):
    path = crate / "ro-crate-metadata.json"
    metadata = json.loads(path.read_text())
    for entity in metadata["@graph"]:
        if entity["@type"] == "ControlAction":
            del entity[left_out]
    path.write_text(json.dumps(metadata))
    assert any(left_out in issue.message for issue in _issues(crate, web, Severity.REQUIRED))


def test_each_stages_action_names_what_it_read_and_wrote_with_which_parameters(crate):
    action = ROCrate(str(crate)).get("#run-build_audio_lexicon")
    read = [entity["name"] for entity in action["object"] if entity.type == "File"]
    settings = {entity["name"]: entity["value"] for entity in action["object"] if entity.type == "PropertyValue"}
    assert action["instrument"].id == "stages/build_audio_lexicon.py"
    assert action["result"].id == "data/lexicons/audio.parquet"
    assert {"data/index/actions.parquet", "data/splits/train.parquet"} <= set(read)
    assert settings == {"audio_lexicon": '{"draw": "fixed"}'}
    assert (action["startTime"], action["endTime"]) == ("2026-01-02T03:02:00+00:00", "2026-01-02T03:02:30+00:00")


def test_code_comes_along_declared_or_not(crate):
    opened, folders = ROCrate(str(crate)), ("pipeline/lexicon/", "pipeline/foundations/runtime/")
    assert (crate / "pipeline/lexicon/text.py").is_file()
    assert (crate / "pipeline/foundations/runtime/files.py").is_file()
    read = {entity.id for action in ("#run-build_text_lexicon", "#run") for entity in opened.get(action)["object"]}
    assert set(folders) <= read


def test_steps_come_in_running_order_and_the_lexicon_reads_what_the_split_wrote(crate):
    opened = ROCrate(str(crate))
    steps = sorted(opened.mainEntity["step"], key=lambda step: int(step["position"]))
    assert [step["name"] for step in steps[:2]] == ["index", "split_mini"]
    split, lexicon = opened.get("#run-split_mini"), opened.get("#run-build_audio_lexicon")
    assert {entity.id for entity in split["result"]} & {entity.id for entity in lexicon["object"]} == {
        "data/splits/train.parquet"
    }


@pytest.mark.parametrize("path", ["data/splits/train.parquet", "stages/split_mini.py"])
def test_it_holds_the_files_with_their_digests(crate, finished, path):
    content = (crate / path).read_bytes()
    assert content == (finished / path).read_bytes()
    assert ROCrate(str(crate)).get(path)["identifier"] == "md5:" + hashlib.md5(content).hexdigest()


def test_a_folder_goes_in_with_all_its_files(crate, finished):
    folder = "data/raw/annotations"
    assert _files(crate / folder) == _files(finished / folder)


def test_what_stages_write_is_linked_and_what_people_edit_is_copied(crate, finished):
    written, edited = "data/splits/train.parquet", "stages/split_mini.py"
    assert (crate / written).samefile(finished / written)
    assert not (crate / edited).samefile(finished / edited)
    (finished / edited).write_text("edited in place")
    assert (crate / edited).read_text() == '"""Stage split_mini."""\n'


def test_the_same_run_gives_the_same_bytes(crate, finished, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(finished, elsewhere)
    write_crate(elsewhere, tmp_path / "again")
    assert _files(tmp_path / "again") == _files(crate)


def test_every_date_is_one_of_the_run(crate):
    dates = re.findall(r"\d{4}-\d{2}-\d{2}T[\d:]+", (crate / "ro-crate-metadata.json").read_text())
    assert {date[:13] for date in dates} == {"2026-01-02T03"}


def test_it_replaces_an_earlier_crate_and_counts_its_files(crate, finished):
    (crate / "left over").write_text("of another run")
    assert write_crate(finished, crate) == len(_files(crate))
    assert not (crate / "left over").exists()


def test_what_lies_outside_the_project_is_named_and_left_there(finished, tmp_path):
    (tmp_path / "my annotations").mkdir()
    (tmp_path / "my annotations/trainingSet.txt").write_text("waving/a.mp4,0\n")
    for path in (finished / "dvc.lock", finished / "data/runs/index.jsonl"):
        path.write_text(path.read_text().replace("data/raw/annotations", str(tmp_path / "my annotations")))
    record = json.loads((finished / "data/runs/index.jsonl").read_text())
    record["key"] = record_store.key_of("index", *(record[part] for part in ("deps", "params", "outs")))
    (finished / "data/runs/index.jsonl").write_text(json.dumps(record))
    write_crate(finished, tmp_path / "crate")
    outside = [e for e in ROCrate(str(tmp_path / "crate")).get("#run-index")["object"] if "outside" in e.id]
    assert [entity["name"] for entity in outside] == [str(tmp_path / "my annotations")]
    assert not list((tmp_path / "crate").rglob("trainingSet.txt"))
    assert _check(tmp_path / "crate") == []


@pytest.mark.parametrize("path", ["data/splits/train.parquet", "stages/split_mini.py"])
def test_a_file_that_is_no_longer_what_it_was_is_refused_by_name(finished, tmp_path, path):
    (finished / path).write_bytes(b"another")
    with pytest.raises(PlainError, match=f"{path} has changed since split_mini ran: its digest was"):
        write_crate(finished, tmp_path / "crate")
    assert not (tmp_path / "crate").exists()


@pytest.mark.parametrize("change", [None, '"failed"'])
def test_a_stage_without_the_record_of_a_finished_run_is_refused_by_name(finished, tmp_path, change):
    path = finished / "data/runs/split_mini.jsonl"
    path.unlink() if change is None else path.write_text(path.read_text().replace('"finished"', change))
    with pytest.raises(PlainError, match=r"split_mini: made elsewhere; record absent; .* --single-item split_mini"):
        write_crate(finished, tmp_path / "crate")


def _check(crate):
    """What the README's commands print, and whether all ended well."""
    commands = (crate / "README.md").read_text().split("```sh\n")[1].split("```")[0]
    done = subprocess.run(["sh", "-s"], cwd=crate, input=commands, capture_output=True, text=True, env=PLAIN)
    return done.stdout.splitlines()


def test_its_readmes_commands_recompute_every_digest(crate):
    assert _check(crate) == []
    listed = (crate / "md5sums.txt").read_text() + (crate / "md5folders.txt").read_text()
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    named = {entity["identifier"].removeprefix("md5:") for entity in graph if "identifier" in entity}
    assert named == {line.split()[0] for line in listed.splitlines()}
    assert len((crate / "md5folders.txt").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("path", "failures"),
    [
        ("data/splits/train.parquet", ["data/splits/train.parquet: FAILED"] * 2),
        ("pipeline/lexicon/text.py", ["pipeline/lexicon/text.py: FAILED", "pipeline/lexicon: FAILED"]),
        ("records/index.result", ["records/index.result: FAILED"] * 2),
        ("PROJECT-README.md", ["PROJECT-README.md: FAILED"]),
    ],
)
def test_its_readmes_commands_see_a_changed_byte(crate, path, failures):
    content = (crate / path).read_bytes()
    (crate / path).unlink()  # what stages wrote is linked
    (crate / path).write_bytes(content[:-2] + b"~" + content[-1:])
    assert _check(crate) == failures


def test_the_command_writes_it_and_says_how_many_files(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(finished)
    done = CliRunner().invoke(app, ["crate", str(tmp_path / "crate")])
    assert done.exit_code == 0
    assert f"{len(_files(tmp_path / 'crate'))} files" in done.stderr


@pytest.mark.slow
@pytest.mark.xdist_group("pipeline_run")
def test_a_real_run_makes_a_valid_crate_of_every_stage(pipeline_run, tmp_path, web):
    write_crate(pipeline_run.root, tmp_path / "crate")
    assert [issue.message for issue in _issues(tmp_path / "crate", web, Severity.REQUIRED)] == []
    assert len(ROCrate(str(tmp_path / "crate")).mainEntity["step"]) == len(pipeline_run.stages)
