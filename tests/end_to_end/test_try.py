"""`m3a try`, whole: a verdict over seeds, and nothing changed in the working tree."""

import subprocess

import pytest

from tests.end_to_end.clones import copy_run, environment

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("pipeline_run")]
COMMAND = "m3a try -S 'model.heads=[audio,text]' --seeds 3"


def test_a_changed_parameter_gets_a_verdict_and_nothing_here_is_changed(pipeline_run, tmp_path):
    root = copy_run(pipeline_run, tmp_path / "clone")
    status = ["git", "status", "--porcelain"]
    before = subprocess.run(status, cwd=root, check=True, capture_output=True, text=True).stdout
    log = tmp_path / "log"  # no pipe: a worker left behind would keep it open
    with log.open("w") as output:
        run = subprocess.run(
            ["bash", "-c", COMMAND], cwd=root, env=environment(), stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, timeout=3000,
        )  # fmt: skip
    assert run.returncode == 0, log.read_text()[-3000:]
    assert log.read_text().splitlines()[-1].startswith(("not told apart: map_sample ", "better: ", "worse: "))
    assert subprocess.run(status, cwd=root, check=True, capture_output=True, text=True).stdout == before
