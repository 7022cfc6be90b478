"""A small finished run, on disk and read."""

from pathlib import Path

import pytest

from pipeline.report.dag import Stage, read_stages
from pipeline.report.run_tables import RunTables, read_run_tables
from tests.report.kept import keep
from tests.report.miniature import write_baseline, write_bench, write_run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a finished run; not to be written to."""
    root = tmp_path_factory.mktemp("finished")
    write_run(root)
    return root


@pytest.fixture(scope="session")
def beside_baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the same run explained beside a baseline, with a bench; not to be written to."""
    root = tmp_path_factory.mktemp("beside")
    write_run(root)
    write_baseline(root)
    write_bench(root)
    return root


@pytest.fixture(scope="session")
def kept(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a project whose tag `before` has other results than its folder; DVC's cache holds both."""
    root = tmp_path_factory.mktemp("kept") / "project"
    keep(finished, root)
    return root


@pytest.fixture(scope="session")
def compared(beside_baseline: Path) -> RunTables:
    """The run beside a baseline, read."""
    return read_run_tables(beside_baseline)


@pytest.fixture(scope="session")
def run_tables(finished: Path) -> RunTables:
    """The run, read."""
    return read_run_tables(finished)


@pytest.fixture(scope="session")
def stages(finished: Path) -> list[Stage]:
    """The pipeline as committed."""
    paths = [finished / "data/raw/dvc.yaml", finished / "dvc.yaml"]
    return read_stages(paths, values={"dataset.folder": "data/raw", "dataset.watch": "sample"})
