"""The whole examination, and its words and statuses on the command line."""

import json
import shutil

from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.doctor.examine import examine
from pipeline.doctor.finding import Finding, size, worst
from tests.train.miniature import write_params

run = CliRunner(env={"COLUMNS": "100", "TERM": "dumb"})


def test_every_question_is_answered_on_a_whole_project(project, own, root):
    shutil.copy(root / "requirements.lock", project)
    found = {finding.subject: finding.colour for finding in examine(project, own)}
    assert list(found) == [
        "versions", "dataset.folder", "dataset.annotations", "dataset.videos", "dataset.watch", "videos", "labels",
        "two actions or more", "three or more", "mini training split", "files", "decoding",
        "vggish", "words", "backbone", "disk", "memory", "shared memory", "decoder", "arithmetic",
        "GPU",
    ]  # fmt: skip
    assert found["words"] == "red"  # data/external is not in this folder
    assert {found[subject] for subject in ("files", "decoding", "backbone")} == {"green"}


def test_the_command_prints_each_finding_with_what_to_do_and_ends_with_a_status(project, own, monkeypatch):
    words = own.words.model_copy(update={"source": "gensim"})
    write_params(project, own.model_copy(update={"words": words}))
    monkeypatch.chdir(project)
    well = run.invoke(app, ["doctor"])
    assert well.exit_code == 0, well.stdout
    assert "green  decoding             4 of 4 sampled videos can be decoded, 3 have sound\n" in well.stdout
    shutil.rmtree(project / "videos")
    ill = run.invoke(app, ["doctor"])
    assert ill.exit_code == 1
    assert "red    dataset.videos       the folder videos does not exist\n" in ill.stdout
    assert f"{' ' * 28}-> mount it, or name the right folder in params.yaml, dataset.videos\n" in ill.stdout
    as_json = run.invoke(app, ["doctor", "--json"])
    assert as_json.exit_code == 1
    content = json.loads(as_json.stdout)
    assert content["worst"] == "red"
    subjects = {finding["subject"]: finding["colour"] for finding in content["findings"]}
    assert subjects["dataset.videos"] == "red"
    assert subjects["dataset.annotations"] == "green"


def test_the_worst_colour_and_sizes():
    green, yellow, red = (Finding(colour, "", "") for colour in ("green", "yellow", "red"))
    assert [worst(found) for found in ([], [green], [yellow, green], [green, red, yellow])] == [
        "green", "green", "yellow", "red",
    ]  # fmt: skip
    assert [size(count) for count in (0, 1_500, 2_500_000, 3e9, 4.04e12)] == [
        "0.0 kB", "1.5 kB", "2.5 MB", "3.0 GB", "4.0 TB",
    ]  # fmt: skip
