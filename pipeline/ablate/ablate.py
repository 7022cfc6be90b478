"""An ablation from its name to its tables: experiments queued, run, read back, measured, written."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline.ablate import experiments
from pipeline.ablate import tables as written
from pipeline.ablate.experiments import Job, Mode
from pipeline.ablate.result import FOLDER, Result, line, write
from pipeline.ablate.rows import Ablation, Row, Value
from pipeline.ablate.statistics import figures
from pipeline.dataset.sample.achievable import achievable
from pipeline.foundations.params import Params
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables

ACTIONS = Path("data/index/actions.parquet")


def ablate(
    ablation: Ablation, params: Params, *, mode: Mode, seeds: int, only: Sequence[str], extra: Mapping[str, Value]
) -> Result:
    """Run an ablation and write its tables.

    Args:
        ablation: which.
        params: as in params.yaml.
        mode: how rows are trained.
        seeds: how many a row.
        only: names of the rows to run; none for all.
        extra: changes to every row.

    Raises:
        PlainError: a name of `only` is none of the rows', or not a single row ended well.
    """
    rows = chosen(ablation, only)
    jobs = experiments.plan(ablation, rows, mode=mode, seeds=seeds, extra=extra)
    experiments.queue(jobs, mode)
    experiments.run([job.name for job in jobs])
    return collect(ablation, rows, jobs, params, mode=mode)


def chosen(ablation: Ablation, only: Sequence[str]) -> list[Row]:
    """The rows to run, in the order of the table.

    Raises:
        PlainError: a name is none of the rows'.
    """
    names = [row.name for row in ablation.rows]
    for name in only:
        if name not in names:
            raise PlainError(f"--rows: found {name}, expected some of {', '.join(names)}")
    return [row for row in ablation.rows if not only or row.name in only]


def collect(ablation: Ablation, rows: Sequence[Row], jobs: Sequence[Job], params: Params, *, mode: Mode) -> Result:
    """Read what the experiments left and write the tables of it.

    Raises:
        PlainError: not a single row ended well.
    """
    done = experiments.finished()
    failed = {job.row: experiments.reason(job.name) for job in reversed(jobs) if job.name not in done}
    found: dict[str, list[pa.Table]] = {}
    for job in jobs:
        if job.name in done:
            found.setdefault(job.row, []).extend(experiments.predictions(job.name, mode))
    if not found:
        raise PlainError(f"{ablation.name}: no experiment ended well; the first: {next(iter(failed.values()))}")
    actions: int = tables.read("actions", ACTIONS).num_rows
    measured = figures(found, actions=actions, bootstrap=params.evaluate.bootstrap, seed=params.seed)
    lines = tuple(
        line(ablation.name, row.name, row.label, measured.get(row.name), failed.get(row.name, "")) for row in rows
    )
    data = f"{params.dataset.source}, {params.evaluate.split} split"
    result = Result(ablation.name, mode, data, lines, limits(ablation, params))
    save(result)
    return result


def limits(ablation: Ablation, params: Params) -> dict[str, float]:
    """The achievable by metric: of a bundled sample that hides something, where no row has data of its own."""
    own_data = any(row.preset for row in ablation.rows)
    if params.dataset.source != "sample" or not params.render.hidden or own_data:
        return {}
    return dict(achievable(params.render.hidden)["bayes"])


def save(result: Result, folder: Path = FOLDER) -> list[Path]:
    """Write a result as CSV, Markdown and LaTeX."""
    path = write(result, folder)
    files.write_text(path.with_suffix(".md"), written.markdown(result))
    files.write_text(path.with_suffix(".tex"), written.latex(result))
    return [path, path.with_suffix(".md"), path.with_suffix(".tex")]
