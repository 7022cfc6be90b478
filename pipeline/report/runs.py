"""A run to lay beside another: in a folder, or kept by DVC under the name of an experiment or a git revision."""

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
    """What of a run is compared."""

    name: str
    """As the person named it; `this run` for the folder they are in."""
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
    with at_hand(name, [PARAMS, ACTIONS, PREDICTIONS, CURVES]) as root:
        return Run(
            THIS if name == HERE else name,
            _flat(read_yaml(root / PARAMS)),
            tables.read("actions", root / ACTIONS)["action"].to_pylist(),
            tables.read("predictions", root / PREDICTIONS),
            read_curves(root / CURVES),
        )


@contextmanager
def at_hand(name: str, paths: Sequence[str]) -> Iterator[Path]:
    """A folder under which some files of a run lie: the run's own, or a copy of what DVC has kept, gone afterwards.

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
    """Copy files and folders of a run, as DVC and git have kept them, below the folder `target`.

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
