"""dvc.yaml as a table of contents: short, few names of code a stage, little that one changed file reruns."""

import subprocess

import pytest

from pipeline.lineage.lock import UNDECLARED, holds
from pipeline.report.dag import is_code
from tests.end_to_end.clones import ROOT, declared_stages, frozen_stages

STAGES = declared_stages(ROOT) | frozen_stages(ROOT)
CODE = {name: [dep for dep in stage["deps"] if is_code(dep)] for name, stage in STAGES.items()}
REVISION = "pipeline/foundations/tables/__init__.py"


def readers(path: str) -> list[str]:
    """The stages that would run again if a file changed."""
    return [name for name, code in CODE.items() if any(holds(dep, path) for dep in code)]


def test_dvc_yaml_is_read_in_one_go():
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 150


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_names_at_most_nine_files_and_folders_of_the_library(stage):
    assert len([dep for dep in CODE[stage] if dep.startswith("pipeline/")]) <= 9
    assert f"stages/{stage}.py" in CODE[stage]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_names_no_code_that_says_only_how(stage):
    assert not [dep for dep in CODE[stage] for how in UNDECLARED if holds(how, dep) or holds(dep, how)]


def test_every_stage_runs_again_where_the_revision_of_how_is_raised():
    assert readers(REVISION) == list(STAGES)


def test_every_name_of_code_leads_somewhere():
    assert {dep for code in CODE.values() for dep in code if not (ROOT / dep).exists()} == set()


def test_few_stages_run_again_for_one_changed_file():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "pipeline/*.py", "stages/*.py"]
    files = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    touched = [len(readers(name)) for name in files]
    assert sum(touched) / len(touched) < 2.3
