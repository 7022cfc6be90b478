"""The watch sees what it should, in programs of any language, and nothing of what happens between stages."""

import pytest

from tests.end_to_end.clones import environment
from tests.end_to_end.watch import Watch

READ = "import subprocess; subprocess.run(['cat', '{path}'], check=True)"
WRITE = """
from pathlib import Path
draft = Path("data/.table.draft")
draft.mkdir(parents=True)
(draft / "table").write_text("made")
(draft / "table").rename("data/table")
"""


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    (root / "deep/deeper").mkdir(parents=True)
    for path in ("deep/deeper/seen", "deep/between", "aside"):
        (root / path).write_text("x")
    return root


def _run(watch, stage, code):
    done = watch.run("python", "-c", code, env=environment(DVC_STAGE=f"dvc.yaml:{stage}"))
    assert done.returncode == 0, done.stderr


def test_a_file_is_told_of_the_stage_whose_child_opened_it(project, tmp_path):
    with Watch(project, tmp_path / "watch") as watch:
        _run(watch, "first", READ.format(path="deep/deeper/seen"))
        (project / "deep/between").read_text()
        _run(watch, "second", READ.format(path="aside"))
    assert watch.of("first").opened == {"deep/deeper/seen"}
    assert watch.of("second").opened == {"aside"}


def test_a_folder_that_is_made_or_moved_on_the_way_is_followed_and_drafts_count_as_what_they_become(project, tmp_path):
    with Watch(project, tmp_path / "watch") as watch:
        _run(watch, "writer", WRITE)
        (project / "deep/deeper").rename(project / "moved")
        _run(watch, "reader", READ.format(path="moved/seen") + "\n" + READ.format(path="data/table"))
    assert watch.of("writer").opened <= {"data/table"}
    assert watch.of("reader").opened == {"moved/seen", "data/table"}


def test_a_module_counts_by_its_source_also_where_python_opens_what_it_compiled(project, tmp_path):
    (project / "module.py").write_text("VALUE = 1\n")
    with Watch(project, tmp_path / "watch") as watch:
        _run(watch, "first", "import module")
        _run(watch, "again", "import module")
    assert watch.of("first").opened == watch.of("again").opened == {"module.py"}


def test_a_stage_that_fails_says_so_through_the_watch(project, tmp_path):
    with Watch(project, tmp_path / "watch") as watch:
        done = watch.run("python", "-c", "raise SystemExit(3)", env=environment(DVC_STAGE="broken"))
    assert done.returncode == 3
