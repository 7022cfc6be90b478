"""Every command of README works as written, or another test or CI runs it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.clones import ROOT, PipelineRun, copy_run, environment

pytestmark = pytest.mark.slow
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ELSEWHERE: dict[str, tuple[str, str]] = {
    "make repro": (".ci/run", "make repro"),
    "make test": (".ci/run", "make lint test"),
    "make doctor": (".ci/run", "make doctor"),
    ". .venv/bin/activate": (".ci/run", ". .venv/bin/activate"),
    "m3a preset": ("tests/cli/test_preset.py", "preset"),
    "m3a preset mmit_v1_mini --folder /data/mmit_v1": ("tests/cli/test_preset.py", "--folder"),
    "m3a try -S 'model.heads=[audio,text]' --seeds 3": (
        "tests/end_to_end/test_try.py",
        "m3a try -S 'model.heads=[audio,text]' --seeds 3",
    ),
    "m3a ablate table1": ("tests/end_to_end/ablated.py", '"ablate"'),
    "m3a ablate controls --mode frozen --tune": ("tests/end_to_end/ablated.py", '"frozen"'),
    "m3a gallery clips": ("tests/cli/test_gallery.py", '"gallery"'),
    "m3a convert-weights r2plus1d_34_clip8_ft_kinetics_from_ig65m-0aa0550b.pth backbone.safetensors": (
        "tests/cli/test_models.py",
        "convert-weights",
    ),
}
"""Where a command is run instead: a file, and what in it does so."""


def commands() -> list[str]:
    """The commands of README's blocks, without their comments."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line.split("  #")[0].strip() for block in BLOCK.findall(text) for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def project(pipeline_run: PipelineRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a small finished pipeline, with a video of the reader's own beside it."""
    root = copy_run(pipeline_run, tmp_path_factory.mktemp("readme") / "clone")
    shutil.copy(next(root.glob("data/raw/sample/videos/*/*.mp4")), root / "some.mp4")
    return root


@pytest.mark.parametrize("command", ELSEWHERE)
def test_what_is_not_run_here_is_in_readme_and_run_elsewhere(command):
    file, part = ELSEWHERE[command]
    assert command in commands()
    assert part in (ROOT / file).read_text(encoding="utf-8")


def test_every_other_command_works_as_written(project):
    for command in commands():
        if command in ELSEWHERE:
            continue
        log = project.parent / "log"  # no pipe: a worker left behind would keep it open
        with log.open("w") as output:
            run = subprocess.run(
                ["bash", "-c", command], cwd=project, env=environment(), stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, timeout=900,
            )  # fmt: skip
        assert run.returncode == 0, f"{command}\n{log.read_text()[-3000:]}"
