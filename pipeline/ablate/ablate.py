"""Run an ablation: run its experiments, read their results, measure and write the tables."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipeline.ablate import dvc_runs, experiments, labels, tuning
from pipeline.ablate import tables as written
from pipeline.ablate.dvc_runs import Job
from pipeline.ablate.estimate import estimate
from pipeline.ablate.experiments import Mode
from pipeline.ablate.result import FOLDER, Labels, Line, Result, Role, line, write
from pipeline.ablate.rows import Ablation, Changes, Row, Value
from pipeline.ablate.statistics import figures
from pipeline.ablate.tuning import Trial
from pipeline.dataset.sample.achievable import achievable
from pipeline.foundations.params import Params, presets
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say


class Scored(NamedTuple):
    """The result of a row, tuned or untuned."""

    row: Row
    tuning: Role
    settings: str
    predictions: list[pa.Table]
    """One a seed."""
    failed: str


def ablate(
    ablation: Ablation,
    params: Params,
    *,
    mode: Mode,
    seeds: int,
    only: Sequence[str],
    extra: Mapping[str, Value],
    tune: bool = False,
    at_once: int = 1,
) -> list[Result]:
    """Run an ablation and write its table; of imported features, on parts of their labels too.

    Args:
        ablation: which.
        params: as in params.yaml, with `extra`.
        mode: how rows are trained.
        seeds: how many a row.
        only: names of the rows to run; none for all.
        extra: changes to every row.
        tune: choose each row's rates, decay and epochs on the validation split as well.
        at_once: how many experiments run side by side.

    Raises:
        PlainError: `only` names an unknown row, `tune` is set while the validation split is the scored one, or every
            row failed.
    """
    rows = chosen(ablation, only)
    if tune and params.evaluate.split == "val":
        raise PlainError("--tune: evaluate.split is val, which tuning chooses on; score the test split, or do not tune")
    say(f"ablate: {estimate(rows, params, mode=mode, seeds=seeds, tune=tune)}{beside(at_once)}")
    trials: list[Trial] = []
    if mode == "frozen":
        scored = _frozen(ablation, rows, seeds=seeds, extra=extra, tune=tune, trials=trials, at_once=at_once)
    else:
        scored = _joint(ablation, rows, params, seeds=seeds, extra=extra, tune=tune, trials=trials, at_once=at_once)
    budget = tuning.budget(params, mode) if tune else ""
    results = [collect(ablation, scored, trials, params, mode=mode, budget=budget)]
    for part in labels.parts_of(params.dataset):
        last = [one for one in scored if one.tuning != "untuned"]
        own = [one._replace(predictions=[part.of(table) for table in one.predictions]) for one in last]
        results.append(collect(ablation, own, (), params, mode=mode, budget=budget, part=part.name))
    return results


def beside(at_once: int) -> str:
    """What the estimate leaves out."""
    return f"; that is one after the other, and {at_once} run at once" if at_once > 1 else ""


def chosen(ablation: Ablation, only: Sequence[str]) -> list[Row]:
    """The rows to run, in the order of the table.

    Raises:
        PlainError: a name is none of the rows'.
    """
    names = [row.name for row in ablation.rows]
    for name in only:
        if name not in names:
            raise PlainError(f"--rows: {ablation.name} has no row {name}; its rows are {', '.join(names)}")
    return [row for row in ablation.rows if not only or row.name in only]


def _frozen(
    ablation: Ablation,
    rows: Sequence[Row],
    *,
    seeds: int,
    extra: Mapping[str, Value],
    tune: bool,
    trials: list[Trial],
    at_once: int,
) -> list[Scored]:
    """One experiment for each row, which also tunes it."""
    jobs = experiments.plan(ablation, rows, mode="frozen", seeds=seeds, extra=extra, tune=tune)
    failed = dvc_runs.run(jobs, at_once=at_once)
    scored = []
    for row, job in zip(rows, jobs, strict=True):
        if job.name in failed:
            scored += [Scored(row, role, "", [], failed[job.name]) for role in _roles(tune)]
            continue
        left = experiments.heads(job.name)
        own = tuning.of_table(row.name, left.trials)
        trials += own
        for role in _roles(tune):
            settings = tuning.settings_of(left.trials, role or "untuned")
            predictions = left.tuned if role == "tuned" else left.untuned
            words = tuning.told(settings or {}, own if role == "tuned" else ())
            scored.append(Scored(row, role, words, predictions, "" if predictions else "diverged"))
    return scored


def _joint(
    ablation: Ablation,
    rows: Sequence[Row],
    params: Params,
    *,
    seeds: int,
    extra: Mapping[str, Value],
    tune: bool,
    trials: list[Trial],
    at_once: int,
) -> list[Scored]:
    """An experiment for each seed; if rows are tuned, first one for each trial.

    Where the setting that is chosen is the one of params.yaml, the tuned row's trainings are the untuned row's.
    """
    jobs: dict[tuple[str, Role], list[Job]] = {}
    untuned = experiments.plan(ablation, rows, mode="joint", seeds=seeds, extra=extra)
    plain: Role = "untuned" if tune else ""
    settings: dict[tuple[str, Role], str] = {}
    for row in rows:
        jobs[row.name, plain] = [job for job in untuned if job.row == row.name]
        settings[row.name, plain] = tuning.told(_as_set(params)) if tune else ""
    if tune:
        trials += _joint_trials(ablation, rows, extra, at_once)
        for row in rows:
            own = [trial for trial in trials if trial.row == row.name]
            if best := tuning.best_of(own):
                changes = experiments.changes_of(row, extra) | best.settings
                stem = f"{ablation.name}-{row.name}-joint-tuned"
                anew = experiments.joint_seeds(row.name, stem, changes, seeds)
                jobs[row.name, "tuned"] = jobs[row.name, plain] if best.settings == _as_set(params) else anew
                settings[row.name, "tuned"] = tuning.told(best.settings, own)
    failed = dvc_runs.run(list(dict.fromkeys(job for of_row in jobs.values() for job in of_row)), at_once=at_once)
    return [_joint_row(row, role, jobs, settings, failed) for row in rows for role in _roles(tune)]


def _joint_row(
    row: Row,
    role: Role,
    jobs: Mapping[tuple[str, Role], list[Job]],
    settings: Mapping[tuple[str, Role], str],
    failed: Mapping[str, str],
) -> Scored:
    own = jobs.get((row.name, role), [])
    reasons = [failed[job.name] for job in own if job.name in failed]
    left = [experiments.predictions(job.name) for job in own if job.name not in failed]
    reason = reasons[0] if reasons else "" if own else "all trials failed"
    return Scored(row, role, settings.get((row.name, role), ""), left, reason)


def _joint_trials(ablation: Ablation, rows: Sequence[Row], extra: Mapping[str, Value], at_once: int) -> list[Trial]:
    grid = tuning.JOINT_GRID
    jobs = {
        row.name: experiments.joint_trials(row, f"{ablation.name}-{row.name}-joint", extra, grid, tuning.TRIAL_SEED)
        for row in rows
    }
    failed = dvc_runs.run([job for of_row in jobs.values() for job in of_row], at_once=at_once)
    trials: list[Trial] = []
    for row, of_row in jobs.items():
        own = []
        for number, (setting, job) in enumerate(zip(grid, of_row, strict=True)):
            reason = failed.get(job.name, "")
            score = float("nan") if reason else experiments.validation(job.name)
            words = "diverged" if "not a finite number" in reason else reason
            own.append(Trial(row, number, tuning.TRIAL_SEED, setting, score, words))
        best = tuning.best_of(own)
        trials += [trial._replace(chosen=trial is best) for trial in own]
    return trials


def _as_set(params: Params) -> Changes:
    """The tuned parameters with their values in params.yaml."""
    return {"train.head_rate": params.train.head_rate, "train.head_weight_decay": params.train.head_decay}


def _roles(tune: bool) -> tuple[Role, ...]:
    return ("tuned", "untuned") if tune else ("",)


def collect(
    ablation: Ablation,
    scored: Sequence[Scored],
    trials: Sequence[Trial],
    params: Params,
    *,
    mode: Mode,
    budget: str,
    part: Labels = "",
) -> Result:
    """Measure the experiments' predictions and write the tables; tuned rows come before untuned ones.

    Raises:
        PlainError: every row failed.
    """
    if not any(one.predictions for one in scored):
        reason = next((one.failed for one in scored if one.failed), "no row was run")
        raise PlainError(f"{ablation.name}: every experiment failed; the first: {reason}")
    data = f"{data_set(params)}, {params.evaluate.split} split"
    lines = tuple(_lines(ablation, scored, params))
    result = Result(ablation.name, mode, data, lines, limits(ablation, params), budget, part)
    save(result)
    if trials:
        files.write_text(FOLDER / f"{result.name}-trials.tsv", trials_text(trials))
    return result


def data_set(params: Params) -> str:
    """Its name in tables: its source; of imported features their folder; of a sample above the bundled size its videos.

    So a table of another data set does not take the place of this one's.
    """
    source, sizes = params.dataset.source, ("render.train", "render.validation", "render.test")
    if source == "features":
        return Path(params.dataset.folder).name
    bundled = presets.read("sample").values
    videos, most = params.render.videos, sum(int(str(bundled[size])) for size in sizes)
    return f"sample-{videos}" if source == "sample" and videos > most else source


def _lines(ablation: Ablation, scored: Sequence[Scored], params: Params) -> Iterable[Line]:
    actions = len(next(one.predictions[0]["scores"][0] for one in scored if one.predictions))
    measured = {
        role: figures(
            {one.row.name: one.predictions for one in scored if one.tuning == role and one.predictions},
            actions=actions,
            bootstrap=params.evaluate.bootstrap,
            seed=params.seed,
        )
        for role in {one.tuning for one in scored}
    }
    for one in scored:
        found = measured[one.tuning].get(one.row.name)
        yield line(
            ablation.name,
            one.row.name,
            one.row.label,
            found,
            one.failed,
            tuning=one.tuning,
            settings=one.settings,
        )


def trials_text(trials: Sequence[Trial]) -> str:
    """Every trial with its settings, its score on the validation split, and whether it was chosen; tab-separated."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(["row", *trials[0].settings, "seed", "val map_sample", "failed", "chosen"])
    for trial in trials:
        score = "" if trial.failed else f"{trial.score:.4f}"
        values = [tuning.written(value) for value in trial.settings.values()]
        writer.writerow([trial.row, *values, trial.seed, score, trial.failed, "yes" if trial.chosen else ""])
    return text.getvalue()


def limits(ablation: Ablation, params: Params) -> dict[str, float]:
    """The best possible value of each metric on the bundled sample; empty for other data, also of a single row."""
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
