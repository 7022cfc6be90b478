"""Rows as DVC experiments: what each changes in params.yaml, and the results that it left."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import pyarrow as pa

from pipeline.ablate.dvc_runs import Job, untracked
from pipeline.ablate.rows import Ablation, Changes, Row, Value
from pipeline.foundations.params import presets
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables

Mode = Literal["joint", "frozen"]
TARGETS: Mapping[Mode, str] = {"joint": "evaluate", "frozen": "data/frozen/dvc.yaml:heads"}
TRIAL_TARGET = "train"
"""Target of a joint trial, which does not score the test split."""
PREDICTIONS = "data/predictions/predictions.parquet"
HEADS, TRIALS = "data/frozen/predictions", "data/frozen/trials.parquet"
VALIDATION = "data/curves/plots/metrics/val/map_sample.tsv"
SWITCH = "data/frozen/params.yaml:runs"
"""Parameter that enables the stages of data/frozen/dvc.yaml."""
FILES = ("backbone.weights", "vggish.handle", "words.name")
"""Parameters that may name a local file or folder."""


class Left(NamedTuple):
    """Results of an experiment on frozen features: tables `predictions`, one a seed, and `trials`."""

    untuned: list[pa.Table]
    tuned: list[pa.Table]
    trials: pa.Table


def plan(
    ablation: Ablation,
    rows: Sequence[Row],
    *,
    mode: Mode,
    seeds: int,
    extra: Mapping[str, Value],
    tune: bool = False,
) -> list[Job]:
    """The experiments of some rows of an ablation.

    Args:
        ablation: gives their names.
        rows: which.
        mode: how they are trained.
        seeds: how many a row.
        extra: changes to every row, winning over its own.
        tune: on frozen features, let stage `heads` tune each row as well.
    """
    jobs = []
    for row in rows:
        changes = changes_of(row, extra)
        stem = f"{ablation.name}-{row.name}-{mode}"
        if mode == "frozen":
            frozen: Changes = {"frozen.repeats": seeds, SWITCH: ["ablate"], "frozen.tune": tune}
            name = f"{stem}-tuned" if tune else stem
            jobs.append(Job(row.name, name, _overrides(changes | frozen), TARGETS[mode]))
        else:
            jobs += joint_seeds(row.name, stem, changes, seeds)
    return jobs


def joint_seeds(row: str, stem: str, changes: Changes, seeds: int) -> list[Job]:
    """A joint training for each seed."""
    numbered = [(f"{stem}-{number + 1}", changes | {"train.seed_offset": number}) for number in range(seeds)]
    return [Job(row, name, _overrides(values), TARGETS["joint"]) for name, values in numbered]


def joint_trials(row: Row, stem: str, extra: Mapping[str, Value], settings: Sequence[Changes], seed: int) -> list[Job]:
    """A joint training for each setting, from one seed, scored on the validation split only."""
    changes = changes_of(row, extra) | {"train.seed_offset": seed}
    return [
        Job(row.name, f"{stem}-trial-{number + 1}", _overrides(changes | setting), TRIAL_TARGET)
        for number, setting in enumerate(settings)
    ]


def changes_of(row: Row, extra: Mapping[str, Value]) -> Changes:
    """All that a row changes in params.yaml; files outside git, which experiments lack, go by their absolute path."""
    changes = {**_preset(row), **row.changes, **extra}
    named = {key: value for key in FILES if isinstance(value := changes.get(key), str) and untracked([value])}
    return changes | {key: str(Path(value).absolute()) for key, value in named.items()}


def predictions(name: str) -> pa.Table:
    """Table `predictions` that a joint experiment left."""
    with _fetched(name, PREDICTIONS) as path:
        return tables.read("predictions", path)


def heads(name: str) -> Left:
    """The results of an experiment on frozen features."""
    with _fetched(name, HEADS) as folder:
        untuned, tuned = (
            [tables.read("predictions", path) for path in sorted((folder / role).glob("*.parquet"))]
            for role in ("untuned", "tuned")
        )
    with _fetched(name, TRIALS) as path:
        return Left(untuned, tuned, tables.read("trials", path))


def validation(name: str) -> float:
    """`map_sample` of the validation split at the end of a joint experiment's training, in percent.

    Raises:
        PlainError: the experiment left no such curve.
    """
    with _fetched(name, VALIDATION) as path:
        lines = path.read_text(encoding="utf-8").split("\n")
    try:
        return float([line for line in lines if line][-1].split("\t")[-1])
    except ValueError as error:
        raise PlainError(f"{name}: {VALIDATION}: not a learning curve: {error}") from error


@contextmanager
def _fetched(name: str, path: str) -> Iterator[Path]:
    """A temporary copy of a file or folder of an experiment."""
    from dvc.api import DVCFileSystem

    files = DVCFileSystem(rev=name)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / Path(path).name
        files.get(path, str(target), recursive=files.isdir(path))
        yield target


def _preset(row: Row) -> dict[str, Value]:
    """The changes of a row's preset to params.yaml, without section `execution`."""
    if row.preset is None:
        return {}
    found = presets.changes(Path("params.yaml").read_text(encoding="utf-8"), presets.read(row.preset))
    return {change.key: change.then for change in found if not change.key.startswith("execution.")}


def _overrides(changes: Mapping[str, Value]) -> tuple[str, ...]:
    return tuple(f"{key}={_written(value)}" for key, value in changes.items())


def _written(value: Value) -> str:
    """A value as Hydra's overrides take it."""
    if isinstance(value, list):
        return f"[{','.join(_written(item) for item in value)}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"'{value}'" if isinstance(value, str) and not value.replace("_", "").isalnum() else str(value)
