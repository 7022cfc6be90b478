"""The paper's tables and their controls, with one command each."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from ruamel.yaml import YAML

from pipeline.ablate.rows import ABLATIONS
from pipeline.cli.app import RESULTS, app, out
from pipeline.foundations.runtime.errors import PlainError

if TYPE_CHECKING:
    from pipeline.ablate.rows import Value


WHICH = "; ".join(f"{name}: {ablation.title.rpartition(': ')[2]}" for name, ablation in ABLATIONS.items())

if TYPE_CHECKING:
    Table = str
else:
    Table = StrEnum("Table", {name: name for name in ABLATIONS})


class Mode(StrEnum):
    """How rows are trained."""

    joint = "joint"
    frozen = "frozen"


@app.command(rich_help_panel=RESULTS, epilog="Example: m3a ablate controls --mode frozen --seeds 5")
def ablate(
    table: Annotated[Table, typer.Argument(metavar="TABLE", help=WHICH)],
    seeds: Annotated[int, typer.Option(min=1, help="Seeds a row; with one, no difference is told apart.")] = 3,
    mode: Annotated[Mode, typer.Option(help="As the paper, or heads on features computed once.")] = Mode.joint,
    rows: Annotated[str, typer.Option(help="Some rows alone, by name, with commas; ? names them.")] = "",
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a parameter in every row; may be repeated."),
    ] = None,
) -> None:
    """Remake a table of the paper, or run the controls that it did not run, on the data of params.yaml.

    Each row is a DVC experiment (one a seed, where all is trained jointly), queued under its name and run in a copy of
    the project; what rows share runs once, and one that fails does not keep the others from running. Ends with the
    table, each metric as mean, spread over seeds and 95% interval over videos and seeds, its difference to the first
    row, and the published numbers beside it; the same as CSV, Markdown and LaTeX in data/ablations, which the report
    shows.
    """
    from pipeline.ablate import tables
    from pipeline.ablate.ablate import ablate as run
    from pipeline.ablate.result import FOLDER
    from pipeline.foundations.params import load_params

    only = [name.strip() for name in rows.split(",") if name.strip()]
    how: Literal["joint", "frozen"] = "frozen" if mode is Mode.frozen else "joint"
    extra = dict(_setting(text) for text in setting or [])
    result = run(ABLATIONS[table], load_params(), mode=how, seeds=seeds, only=only, extra=extra)
    out.print(tables.markdown(result), markup=False)
    out.print(
        f"as CSV, Markdown and LaTeX: {FOLDER}/{result.ablation}-{result.mode}.*; `dvc repro` puts it in the report"
    )
    if failed := [line.row for line in result.lines if line.failed]:
        out.print(f"failed: {', '.join(failed)}", style="red", markup=False)
        raise typer.Exit(1)


def _setting(text: str) -> tuple[str, "Value"]:
    key, sign, value = text.partition("=")
    if not sign:
        raise PlainError(f"--set: found {text}, expected KEY=VALUE, as in train.epochs=12")
    parsed: Value = YAML(typ="safe", pure=True).load(value)
    return key, parsed
