"""Digests and order, held against DVC itself and a graph drawn by hand."""

import json
import shutil
import subprocess

import pytest

from pipeline.foundations.runtime import digests
from pipeline.foundations.runtime.errors import PlainError
from pipeline.lineage import lock
from pipeline.lineage.lock import Recorded, Stage
from tests.end_to_end.clones import environment


def _stage(name, deps, outs):
    return Stage(name, tuple(Recorded(dep, "") for dep in deps), tuple(Recorded(out, "") for out in outs), {})


GRAPH = {
    "last": _stage("last", ["b.py", "pipeline/model", "data/mid"], ["data/end"]),
    "middle": _stage("middle", ["a.py", "data/first/one"], ["data/mid"]),
    "first": _stage("first", ["a.py"], ["data/first/one", "data/first/two"]),
    "aside": _stage("aside", ["data/first/two"], ["data/aside"]),
}


def test_digests_of_a_file_and_a_folder_are_dvcs_own(tmp_path):
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / "one.txt").write_text("one")
    (folder / "below" / "zwei.txt").write_text("zwei")
    (folder / "below.txt").write_text("sorts between")
    (tmp_path / "file.bin").write_bytes(bytes(range(256)))
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "add", "-q", "folder", "file.bin"]):
        subprocess.run(command, cwd=tmp_path, check=True, env=environment())
    for name in ("folder", "file.bin"):
        assert f"md5: {digests.md5(tmp_path / name)}\n" in (tmp_path / f"{name}.dvc").read_text()


def test_a_packages_page_is_in_no_digest_and_other_pages_are(tmp_path, root):
    shutil.copy(root / ".dvcignore", tmp_path)
    for folder in ("pipeline/room", "pipeline/room/below", "data"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "README.md").write_text("words")
        if folder != "data":
            (tmp_path / folder / "__init__.py").write_text("code = 1")
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "add", "-q", "pipeline/room", "data"]):
        subprocess.run(command, cwd=tmp_path, check=True, env=environment())
    for name in ("pipeline/room", "data"):
        files = {file.relative_to(tmp_path).as_posix(): file.read_bytes() for file in tmp_path.glob(f"{name}/**/*.*")}
        recorded = (tmp_path / f"{name}.dvc").read_text()
        assert f"md5: {digests.md5(tmp_path / name)}\n" in recorded
        assert f"md5: {digests.md5_of_files(name, files)}\n" in recorded
    assert "nfiles: 2\n" in (tmp_path / "pipeline/room.dvc").read_text()


def test_reach_follows_files_and_folders_both_ways():
    assert lock.reach(GRAPH, "first", down=True) == ["last", "middle", "aside"]
    assert lock.reach(GRAPH, "last", down=False) == ["middle", "first"]
    assert lock.producers(GRAPH, "aside") == {"first"}
    assert lock.feeds(GRAPH["first"], GRAPH["middle"]) == ["data/first/one"]


@pytest.mark.parametrize(
    ("folder", "path", "inside"),
    [("data/raw", "data/raw/a", True), ("data/raw", "data/raw", True), ("data/raw", "data/rawer", False)],
)
def test_a_folder_holds_itself_and_what_lies_below(folder, path, inside):
    assert lock.holds(folder, path) is inside


def test_stages_come_in_an_order_in_which_they_can_run(tmp_path):
    entries = {
        name: {"deps": [{"path": dep.path, "md5": "x"} for dep in stage.deps],
               "outs": [{"path": out.path, "md5": "y"} for out in stage.outs],
               "params": {"params.yaml": {"seed": 1}}}
        for name, stage in GRAPH.items()
    }  # fmt: skip
    (tmp_path / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": entries}))
    stages = lock.read_stages(tmp_path)
    order = list(stages)
    assert order.index("first") < order.index("middle") < order.index("last")
    assert stages["last"].params == {"seed": 1}
    assert [dep.path for dep in stages["last"].code] == ["b.py", "pipeline/model"]


@pytest.mark.parametrize(("reads", "named"), [("data/raw/sample/annotations", True), ("data/made/annotations", False)])
def test_the_committed_samples_stage_is_named_where_the_pipeline_reads_the_sample_alone(tmp_path, reads, named):
    (tmp_path / "data/raw").mkdir(parents=True)
    render = {"render": {"outs": [{"path": "data/raw/sample", "md5": "y"}]}}
    index = {"index": {"deps": [{"path": reads, "md5": "x"}], "outs": [{"path": "data/index", "md5": "z"}]}}
    (tmp_path / lock.SAMPLE).write_text(json.dumps({"stages": render}))
    assert list(lock.read_stages(tmp_path)) == ["render"]
    (tmp_path / lock.PIPELINE).write_text(json.dumps({"stages": index}))
    assert list(lock.read_stages(tmp_path)) == (["render", "index"] if named else ["index"])


@pytest.mark.parametrize("content", [None, "- a list", "{unclosed"])
def test_a_missing_or_damaged_lock_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "dvc.lock").write_text(content)
    with pytest.raises(PlainError, match=r"dvc\.lock"):
        lock.read_stages(tmp_path)
