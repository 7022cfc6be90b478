"""`m3a ablate` and `m3a try`: the paper's tables, their controls, and changes of one's own."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table as RichTable
from ruamel.yaml import YAML

from pipeline.ablate.rows import ABLATIONS
from pipeline.cli.app import RESULTS, app, out
from pipeline.foundations.runtime.errors import PlainError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.ablate.rows import Value
    from pipeline.ablate.trying import Verdict
    from pipeline.foundations.params import Params

PARAMS = Path("params.yaml")


WHICH = "; ".join(f"{name}: {ablation.title.rpartition(': ')[2]}" for name, ablation in ABLATIONS.items())

if TYPE_CHECKING:
    Table = str
else:
    Table = StrEnum("Table", {name: name for name in ABLATIONS})


class Mode(StrEnum):
    """How rows are trained."""

    joint = "joint"
    frozen = "frozen"


@app.command(rich_help_panel=RESULTS, epilog="Example: m3a ablate controls --mode frozen --tune --seeds 5")
def ablate(
    table: Annotated[Table, typer.Argument(metavar="TABLE", help=WHICH)],
    seeds: Annotated[
        int, typer.Option(min=1, help="Seeds for each row; with one there are no intervals for differences.")
    ] = 3,
    mode: Annotated[
        Mode, typer.Option(help="joint: as in the paper; frozen: heads on features computed once.")
    ] = Mode.joint,
    rows: Annotated[str, typer.Option(help="Only these rows, by name, separated by commas; ? lists them.")] = "",
    tune: Annotated[
        bool, typer.Option("--tune", help="Tune every row first, with the same trials, on the validation split.")
    ] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a parameter in every row; may be repeated."),
    ] = None,
    preset: Annotated[str, typer.Option(help="Run all rows with this preset; params.yaml stays as it is.")] = "",
    jobs: Annotated[
        int,
        typer.Option(
            min=1,
            help="Experiments at once, each with its own memory; on a CPU one a core, with --set train.threads=1.",
        ),
    ] = 1,
) -> None:
    """Reproduce a table of the paper, or run controls that it did not run, on the data of params.yaml.

    Each row is a DVC experiment (one a seed, where all is trained jointly), run under its name in a copy of the
    project; what rows share runs once, and one that fails does not keep the others from running. Ends with the
    table, each metric as mean, spread over seeds and 95% interval over videos and seeds, its difference to the first
    row, and the published numbers beside it; the same as CSV, Markdown and LaTeX in data/ablations, which the report
    shows. All rows are trained alike, so which of them learns fastest at that one learning rate decides much. With
    --tune each row has the same budget of trials (on frozen features over the grid of frozen.tune_*), the best of which
    on the validation split is trained with fresh seeds and scored; the untuned row stands beside it, and all trials in
    data/ablations/*-trials.tsv. Of imported features, whose labels machines may have made, two more tables: without
    labels that another implies, and of activities alone, where the folder's annotations/activities.txt names them.
    """
    from pipeline.ablate import tables
    from pipeline.ablate.ablate import ablate as run
    from pipeline.ablate.result import FOLDER

    only = [name.strip() for name in rows.split(",") if name.strip()]
    how: Literal["joint", "frozen"] = "frozen" if mode is Mode.frozen else "joint"
    extra = _of_preset(preset) | dict(_setting(text) for text in setting or [])
    results = run(
        ABLATIONS[table], _with(extra), mode=how, seeds=seeds, only=only, extra=extra, tune=tune, at_once=jobs
    )
    for result in reversed(results):  # the table of all labels last, where one looks
        out.print(tables.markdown(result), markup=False)
        out.print(f"as CSV, Markdown and LaTeX: {FOLDER}/{result.name}.*; `dvc repro` puts it in the report")
    if failed := list(dict.fromkeys(line.row for line in results[0].lines if line.failed)):
        out.print(f"failed: {', '.join(failed)}", style="red", markup=False)
        raise typer.Exit(1)


def _of_preset(name: str) -> "dict[str, Value]":
    """The changes of a preset to params.yaml, without section `execution`."""
    from pipeline.foundations.params import presets

    if not name:
        return {}
    found = presets.changes(PARAMS.read_text(encoding="utf-8"), presets.read(name))
    return {change.key: change.then for change in found if not change.key.startswith("execution.")}


@app.command("try", rich_help_panel=RESULTS, epilog="Example: m3a try -S 'model.heads=[audio,text]' --seeds 3")
def try_(
    setting: Annotated[
        list[str], typer.Option("--set", "-S", metavar="KEY=VALUE", help="A parameter to change; may be repeated.")
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Seeds for each of the two; with one there is no verdict.")] = 3,
    mode: Annotated[
        Mode, typer.Option(help="joint: as in the paper; frozen: heads on features computed once.")
    ] = Mode.joint,
) -> None:
    """Test whether a changed parameter improves the current run, and by how much.

    The parameters as they are and as changed are trained from several seeds each, in copies of this folder, in which
    nothing changes; what the current run has in DVC's cache is used. Ends with every metric of both, and a verdict with
    its 95% interval over videos and seeds.
    """
    from pipeline.ablate.trying import attempt
    from pipeline.evaluate.summary import lay

    changes = dict(_setting(text) for text in setting)
    how: Literal["joint", "frozen"] = "frozen" if mode is Mode.frozen else "joint"
    verdict = attempt(changes, _with(changes), mode=how, seeds=seeds)
    lay(_verdict(verdict), out)
    out.print(verdict.sentence, markup=False)


def _verdict(verdict: "Verdict") -> RichTable:
    from pipeline.ablate.tables import ONE_SEED, cell, lead

    one = min(figure.lead_seeds for figure in verdict.changed.values()) < 2
    about = f"videos. {ONE_SEED}" if one else "videos and seeds; bold where it leaves out 0"
    table = RichTable(caption=f"percent, mean over seeds; in brackets the 95% interval over {about}")
    for words in ("", "current", "changed", "lead"):
        table.add_column(words, justify="right" if words else "left")
    for name, figure in verdict.changed.items():
        told = lead(figure)
        bold = f"[bold]{told.strip('*')}[/]" if figure.apart else told
        table.add_row(name, cell(verdict.current[name]), cell(figure), bold)
    return table


def _with(changes: "Mapping[str, Value]") -> "Params":
    """The parameters with changes to them.

    Raises:
        PlainError: params.yaml, or a change to it, is not valid.
    """
    from pipeline.foundations.params import load_params, parse_params
    from pipeline.foundations.params.editing import edited

    load_params()  # report errors of the file before errors of a change to it
    return parse_params(edited(PARAMS.read_text(encoding="utf-8"), changes), PARAMS)


def _setting(text: str) -> tuple[str, "Value"]:
    key, sign, value = text.partition("=")
    if not sign:
        raise PlainError(f"--set {text}: write KEY=VALUE, such as train.epochs=12")
    parsed: Value = YAML(typ="safe", pure=True).load(value)
    return key, parsed
