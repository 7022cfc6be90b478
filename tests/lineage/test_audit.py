"""The audit of a real run: green as it stands; each edit makes exactly the lines red that it should."""

import os
from contextlib import contextmanager

import pytest

from pipeline.foundations.params import load_params
from pipeline.lineage import lock
from pipeline.lineage.audit import audit
from tests.end_to_end.clones import change_params

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline_run")]


def _audit(pipeline_run):
    return list(audit(pipeline_run.root, load_params(pipeline_run.root / "params.yaml")))


def _red(pipeline_run):
    return {(check.group, check.what) for check in _audit(pipeline_run) if not check.green}


@contextmanager
def _edited(path, position=None, by=b""):
    """Flip one byte of a file, or append to it, for a while."""
    before, times = path.read_bytes(), path.stat()
    content = bytearray(before)
    if by:
        content += by
    else:
        content[len(content) // 2 if position is None else position] ^= 1
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _outputs(root):
    """Each output of the pipeline with a file to edit: itself, or the last file of a folder."""
    for stage in lock.read_stages(root).values():
        for out in stage.outs:
            path = root / out.path
            files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
            yield stage.name, out.path, files[-1]


def test_a_run_is_green_from_top_to_bottom(pipeline_run):
    checks = _audit(pipeline_run)
    assert [check for check in checks if not check.green] == []
    groups = {"code", "input", "output", "parameter", "git", "record", "table", "consistency", "videos", "weights"}
    assert {check.group for check in checks} == groups


FEW = ("data/features/whitened.parquet", "models/m3a", "data/metrics.json", "data/report/index.html")
"""Of each kind one: a table, a folder with a model, a file of git's, a page."""


def test_an_edited_byte_of_a_table_a_model_a_metric_or_the_page_is_red(pipeline_run):
    _tamper(pipeline_run, [output for output in _outputs(pipeline_run.root) if output[1] in FEW], len(FEW))


@pytest.mark.soak  # an audit for each of thirty outputs: minutes
def test_an_edited_byte_of_any_output_is_red_where_it_was_written_and_where_it_was_read(pipeline_run):
    _tamper(
        pipeline_run,
        list(_outputs(pipeline_run.root)),
        sum(len(stage.outs) for stage in lock.read_stages(pipeline_run.root).values()),
    )


def _tamper(pipeline_run, outputs, expected):
    """Edit one output after the other: the lines of its bytes turn red, and of other lines only those that read it."""
    assert len(outputs) == expected
    stages = lock.read_stages(pipeline_run.root)
    for name, out, file in outputs:
        readers = {
            ("input", f"{stage.name}: {dep.path}")
            for stage in stages.values()
            for dep in stage.inputs
            if lock.holds(dep.path, out) or lock.holds(dep.path, file.relative_to(pipeline_run.root).as_posix())
        }
        with _edited(file):
            red = _red(pipeline_run)
        bytes_red = {line for line in red if line[0] in ("input", "output", "code", "parameter", "git")}
        assert bytes_red == {("output", f"{name}: {out}")} | readers, file
        content_red = {line for line in red - bytes_red if line[0] != "consistency"}
        path = file.relative_to(pipeline_run.root).as_posix()
        # the videos themselves, or the table that has their hashes
        hashed = lock.holds("data/raw/sample", path) or path == "data/index/videos.parquet"
        allowed = {line for line in content_red if line[0] == "videos" and hashed}
        allowed |= {line for line in content_red if path in line[1]}  # the table itself, or the weights
        allowed |= {line for line in content_red if line[0] == "record" and path == "data/metrics.json"}
        assert content_red <= allowed, file


def test_an_edited_video_is_red_as_a_video(pipeline_run):
    with _edited(sorted((pipeline_run.root / "data/raw/sample/videos").rglob("*.mp4"))[0]):
        red = _red(pipeline_run)
    assert ("videos", "data/raw/sample/videos as `index` hashed it") in red
    assert ("output", "render: data/raw/sample") in red


def test_an_edited_label_is_red_for_the_sample_and_its_readers(pipeline_run):
    annotations = pipeline_run.root / "data/raw/sample/trainingSet.txt"
    line = annotations.read_bytes().index(b"\n")
    with _edited(annotations, position=line - 1):
        red = _red(pipeline_run)
    readers = {stage.name for stage in lock.read_stages(pipeline_run.root).values() for dep in stage.deps
               if dep.path == "data/raw/sample"}  # fmt: skip
    assert red == {("output", "render: data/raw/sample")} | {("input", f"{name}: data/raw/sample") for name in readers}


def test_an_edited_parameter_is_red_for_the_stages_that_read_it(pipeline_run):
    path = pipeline_run.root / "params.yaml"
    before = path.read_bytes()
    change_params(pipeline_run.root, {"adjacency": {"threshold": 0.5}})
    try:
        red = _red(pipeline_run)
    finally:
        path.write_bytes(before)
    assert red == {("parameter", "build_adjacency: adjacency.threshold"), ("parameter", "report: adjacency")}


def test_an_edited_module_is_red_for_the_stages_that_import_it_and_against_git(pipeline_run):
    module = "pipeline/graph/cooccurrence.py"
    with _edited(pipeline_run.root / module, by=b"\n# edited\n"):
        red = _red(pipeline_run)
    importers = {stage.name for stage in lock.read_stages(pipeline_run.root).values() for dep in stage.code
                 if dep.path == module}  # fmt: skip
    assert red == {("git", module)} | {("code", f"{name}: {module}") for name in importers}


def test_a_record_of_weights_that_cannot_be_read_is_red(pipeline_run):
    with _edited(pipeline_run.root / "models/pretrained/weights.json", position=0):
        red = _red(pipeline_run)
    assert ("weights", "models/pretrained/weights.json") in red
    assert ("output", "fetch_weights: models/pretrained") in red
