"""Read a run to compare: from a folder, or from DVC's cache by the name of an experiment or git revision."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.foundations.params import read_yaml
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.report.run_tables import CURVES, TABLES, read_curves

HERE = "."
THIS = "this run"
PARAMS = "params.yaml"
ACTIONS, PREDICTIONS = TABLES["actions"][1], TABLES["predictions"][1]


class Run(NamedTuple):
    """The parts of a run that are compared."""

    name: str
    """As given by the user; `this run` for the current folder."""
    params: Mapping[str, Any]
    """params.yaml, flat: `train.epochs` and so on."""
    actions: list[str]
    predictions: pa.Table
    curves: Mapping[str, list[tuple[int, float]]]
    """Each learning curve by its name, as epoch and value."""


def read_run(name: str) -> Run:
    """Read a finished run.

    Args:
        name: a folder (`.` is this project), an experiment, or a git revision whose results DVC has kept.

    Raises:
        PlainError: there is no such run, or some of it is absent or not what it should be.
    """
    with run_files(name, [PARAMS, ACTIONS, PREDICTIONS, CURVES]) as root:
        return Run(
            THIS if name == HERE else name,
            _flat(read_yaml(root / PARAMS)),
            tables.read("actions", root / ACTIONS)["action"].to_pylist(),
            tables.read("predictions", root / PREDICTIONS),
            read_curves(root / CURVES),
        )


@contextmanager
def run_files(name: str, paths: Sequence[str]) -> Iterator[Path]:
    """A folder with some files of a run: the run's own, or a temporary copy from DVC's cache.

    Raises:
        PlainError: as `fetch`.
    """
    if Path(name).is_dir():
        yield Path(name)
        return
    with TemporaryDirectory(prefix="m3a-run-") as copy:
        fetch(name, paths, Path(copy))
        yield Path(copy)


def fetch(revision: str, paths: Sequence[str], target: Path) -> None:
    """Copy files and folders of a run from DVC's cache and git below the folder `target`.

    Raises:
        PlainError: there is no such revision, or DVC's cache does not hold its results.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    try:
        kept = DVCFileSystem(".", rev=revision)
        for path in paths:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            kept.get(path, str(target / path), recursive=kept.isdir(path))
    except (DvcException, DataIndexDirError, OSError) as error:
        raise PlainError(
            f"{revision}: no folder, and not kept by DVC: {' '.join(str(error).split())}; `dvc exp show` lists the "
            "experiments, and one that was run elsewhere comes with `dvc exp pull`"
        ) from error


def _flat(content: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return flat
