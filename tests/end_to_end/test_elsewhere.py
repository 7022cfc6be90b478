"""The same results in another folder, for another user, in another place and time zone, by other workers and hashes.

What DESIGN.md calls exact must come out so on any CPU, and is held against the committed hashes too; the rest on
the same kind of CPU (elsewhere `m3a audit --against --tolerance` tells).
"""

import shutil
import subprocess

import pytest

from pipeline.lineage import lock
from tests.end_to_end.clones import ROOT, change_params, clone, environment

EXACT = ("render", "index", "build_text_lexicon", "build_adjacency", "split_mini")
"""DESIGN.md, invariant 3: the sample, index, text lexicon, adjacency and splits."""
BY_CPU = ("extract_vggish", "whiten", "build_audio_lexicon")
"""The shortest of the stages whose kernels the CPU chooses."""
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline_run")]


def _elsewhere(tmp_path):
    """The environment of somebody else."""
    (tmp_path / "home of another").mkdir()
    return environment(
        HOME=str(tmp_path / "home of another"), USER="another", LOGNAME="another", LANG="C", LC_ALL="C",
        TZ="Pacific/Chatham", PYTHONHASHSEED="12345",
    )  # fmt: skip


def _repro(root, env, *targets):
    run = subprocess.run(["dvc", "repro", *targets], cwd=root, capture_output=True, text=True, env=env)
    assert run.returncode == 0, (run.stdout + run.stderr)[-4000:]


def _hashes(root, stages=None):
    """Every output's digest, by stage and path."""
    ran = lock.read_stages(root)
    return {(name, out.path): out.md5 for name in stages or ran for out in ran[name].outs}


@pytest.fixture
def another(tmp_path):
    """A clone in a folder of another name, with another number of workers."""
    root = clone(tmp_path / "somewhere else, with spaces" / "m3a")
    change_params(root, {"execution": {"workers": 3}})
    return root


def test_a_clone_elsewhere_gives_the_same_hashes(pipeline_run, another, tmp_path):
    _repro(another, _elsewhere(tmp_path), "build_text_lexicon", "build_adjacency", "build_audio_lexicon")
    stages = EXACT + BY_CPU
    assert _hashes(another, stages) == _hashes(pipeline_run.root, stages)


@pytest.mark.soak
def test_a_clone_elsewhere_gives_the_same_hashes_in_every_stage(pipeline_run, another, tmp_path):
    _repro(another, _elsewhere(tmp_path))
    assert _hashes(another) == _hashes(pipeline_run.root)


@pytest.mark.soak  # renders the whole sample
def test_the_committed_hashes_of_exact_stages_come_out_elsewhere(another, tmp_path):
    for name in (lock.SAMPLE, lock.PIPELINE):
        if subprocess.run(["git", "ls-files", "--error-unmatch", name], cwd=ROOT, capture_output=True).returncode:
            pytest.skip(f"{name} is not committed")
    shutil.copy(ROOT / "params.yaml", another / "params.yaml")
    change_params(another, {"execution": {"workers": 3}})
    _repro(another, _elsewhere(tmp_path), "build_text_lexicon", "build_adjacency")
    assert _hashes(another, EXACT) == _hashes(ROOT, EXACT)
