"""What `m3a doctor --plan` prints."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from pipeline.cli.app import compute_as_stages, write_json
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say

if TYPE_CHECKING:
    from pipeline.bench.unit_costs import UnitCosts
    from pipeline.dataset.annotations import Annotations
    from pipeline.foundations.params import Params
    from pipeline.lineage.costs import Costs

HERE = Path()


def print_plan(videos: int | None, cores: int | None, gpu_clips: float | None, *, as_json: bool) -> None:
    """What each stage will take.

    Args:
        videos: as if there were so many; None for those that are annotated.
        cores: of the machine; None for `execution.workers`.
        gpu_clips: clips a second that its GPU trains on; None where there is none.
        as_json: JSON instead of a table.

    Raises:
        PlainError: nothing is decoded in a run, or no video is there.
    """
    compute_as_stages()
    from pipeline.bench import plan

    params, annotations = _inputs()
    costs = _unit_costs(params, annotations)
    machine = plan.Machine(cores or params.execution.workers, gpu_clips)
    stages = list(plan.plan(plan.counts_of(annotations, params, videos), costs, params, machine))
    if as_json:
        write_json({"unit_costs": costs._asdict(), "stages": [stage._asdict() for stage in stages]})
    else:
        typer.echo(plan.markdown(stages), nl=False)


def print_measured(*, as_json: bool) -> None:
    """What each stage was to take, beside what the run took that made the present results.

    Raises:
        PlainError: as `print_plan`; there is no such run, or it was of other videos.
    """
    compute_as_stages()
    from pipeline.bench import plan, plan_measured
    from pipeline.lineage.costs import costs as costs_of

    params, annotations = _inputs()
    took = costs_of(HERE, params.model_dump(mode="json"))
    _check_videos(took, annotations)
    machine = plan.Machine(took.workers or params.execution.workers, None)
    unit_costs = _unit_costs(params, annotations)
    planned = list(plan.plan(plan.counts_of(annotations, params), unit_costs, params, machine))
    compared = list(plan_measured.compare(planned, took.stages))
    names = {part for stage in planned for part in plan_measured.PARTS.get(stage.stage, (stage.stage,))}
    for name, reason in took.left_out.items():
        if name in names:
            say(f"not compared: {name}: {reason}")
    if as_json:
        write_json({"unit_costs": unit_costs._asdict(), "stages": [stage.to_json() for stage in compared]})
    else:
        typer.echo(plan_measured.markdown(compared), nl=False)


def _check_videos(took: "Costs", annotations: "Annotations") -> None:
    """Raises: PlainError: no run is known, or it was of other videos than are annotated now."""
    if took.videos is None:
        raise PlainError("doctor --plan --measured: no run of the present data is recorded here; run `dvc repro` first")
    now = len(annotations.videos) + len(annotations.unlabelled)
    if took.videos != now:
        raise PlainError(
            f"doctor --plan --measured: the last run was of {took.videos:,} videos, and {now:,} are annotated; "
            "run `dvc repro` first"
        )


def _inputs() -> "tuple[Params, Annotations]":
    from pipeline.dataset.dataset import read_annotations
    from pipeline.foundations.params import load_params

    params = load_params()
    if params.dataset.source == "features":
        raise PlainError("doctor --plan: dataset.source is features, so nothing is decoded; a run takes minutes")
    return params, read_annotations(params.dataset)


def _unit_costs(params: "Params", annotations: "Annotations") -> "UnitCosts":
    from pipeline.bench import plan
    from pipeline.bench.unit_costs import SAMPLE, measure
    from pipeline.foundations.runtime.files import cache_folder

    scratch = cache_folder() / "plan"
    scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=scratch) as folder:
        paths = plan.sampled(HERE, params, annotations, SAMPLE)
        if not paths:
            raise PlainError("doctor --plan: none of the annotated videos is there; m3a doctor says more")
        return measure(paths, params, Path(folder).absolute(), actions=len(annotations.actions))
