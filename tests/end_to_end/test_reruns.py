"""What DVC would run again after a small change, asked of DVC itself."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.clones import PipelineRun, copy_run, environment

pytestmark = pytest.mark.slow
MEDIA = {"render", "filter_silent", "extract_vggish", "prepare_clips"}
"""The stages that decode or render every video."""


@pytest.fixture(scope="module")
def project(pipeline_run: PipelineRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_run(pipeline_run, tmp_path_factory.mktemp("reruns") / "clone")


def to_run_again(root: Path) -> set[str]:
    """The stages whose code, parameters or inputs are not those of their last run."""
    run = subprocess.run(
        ["dvc", "status", "--json"], cwd=root, env=environment(), check=True, capture_output=True, text=True
    )
    return {name.removeprefix("data/raw/dvc.yaml:") for name in json.loads(run.stdout)}


def after_a_comment(root: Path, name: str) -> set[str]:
    file = root / name
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}# a comment\n", encoding="utf-8")
    try:
        return to_run_again(root)
    finally:
        file.write_text(text, encoding="utf-8")


def test_nothing_after_a_run(project):
    assert to_run_again(project) == set()


@pytest.mark.parametrize(
    "name",
    ["pipeline/foundations/runtime/files.py", "pipeline/foundations/params/section.py", "stages/__init__.py",
     "pipeline/cli/app.py"],
)  # fmt: skip
def test_nothing_for_a_comment_in_code_that_says_how_or_in_a_page(project, name):
    assert after_a_comment(project, name) == set()


def test_a_comment_in_the_model_reruns_what_reads_the_model(project):
    again = after_a_comment(project, "pipeline/model/gcn.py")
    assert {"train", "evaluate"} <= again
    assert not again & MEDIA


def test_a_columns_description_reruns_what_writes_its_table_and_nothing_else(project):
    file, text = project / "tables.yaml", (project / "tables.yaml").read_text(encoding="utf-8")
    changed = text.replace("A_ij, before self-connections", "A_ij, without self-connections")
    file.write_text(changed, encoding="utf-8")
    try:
        assert changed != text
        assert to_run_again(project) == {"build_adjacency"}
    finally:
        file.write_text(text, encoding="utf-8")


def test_a_new_parameter_of_training_restarts_no_media_stage(project):
    text = (project / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(text.replace("\ntrain:\n", "\ntrain:\n  another: 1\n"), encoding="utf-8")
    try:
        assert to_run_again(project) == {"train", "report"}
    finally:
        (project / "params.yaml").write_text(text, encoding="utf-8")
