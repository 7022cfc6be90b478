"""`m3a audit`, `trace`, `runs`, `why`, `crate` and `croissant`: where results came from."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pipeline.cli.app import LINEAGE, AsJson, app, out, write_json
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say

if TYPE_CHECKING:
    from pipeline.lineage.audit import Check

HERE = Path()
TOLERANCE = 1e-4
WIDEST = 100_000
"""Characters of a line where the output is not a terminal."""


@app.command(rich_help_panel=LINEAGE, epilog="Example: m3a audit --against ../run-on-the-server --tolerance 1e-4")
def audit(
    against: Annotated[
        Path | None, typer.Option(help="Another project of the same pipeline: compare its tables and model instead.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(min=0.0, help=f"With --against: allowed difference between numbers; default {TOLERANCE:g}."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that nothing has changed since it was made; one line a check, exit status 1 if any is red.

    Files, code, parameters, tables, videos and weights are hashed or read again, tables are checked against each
    other, and each stage's result must have the record of the run that made it. With `--against`, two runs are compared
    instead, on two machines say: every float of every table and every tensor of the model within the tolerance (times
    the larger number, where that is above 1), all else exactly.
    """
    from pipeline.foundations.params import load_params
    from pipeline.lineage import audit as auditor
    from pipeline.lineage import tolerance as comparison

    if against is None and tolerance is not None:
        raise PlainError("--tolerance is for comparing two runs: name the other one with --against")
    if against is None:
        checks = auditor.audit(HERE, load_params())
    else:
        checks = comparison.compare(HERE, against, TOLERANCE if tolerance is None else tolerance)
    made = []
    for check in checks:
        made.append(check)
        if not as_json:
            _print_check(check)
    red = sum(not check.green for check in made)
    if as_json:
        write_json({"checks": [check._asdict() for check in made], "green": len(made) - red, "red": red})
    else:
        out.print(_verdict(made, red), style="bold red" if red else "bold green")
    if red:
        raise typer.Exit(1)


def _print_check(check: "Check") -> None:
    colour = "green" if check.green else "red"
    out.print(f"{colour:<6}", style=colour, end="")
    out.print(f"{check.group:<12}{check.what}" + (f"; {check.finding}" if check.finding else ""), markup=False)


def _verdict(made: Sequence["Check"], red: int) -> str:
    return f"{red:,} of {len(made):,} checks are red" if red else f"all {len(made):,} checks are green"


@app.command(rich_help_panel=LINEAGE, epilog="Example: m3a trace map_sample --html trace.html")
def trace(
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help="A metric, a file, a stage, a video id, or an action's name.")
    ],
    as_json: AsJson = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a self-contained HTML page instead.")] = None,
) -> None:
    """Show everything that a number, a file, a stage, a video or an action was made from, and what it was used in."""
    from pipeline.lineage import tree
    from pipeline.lineage.trace import trace as lineage_of

    node = lineage_of(HERE, what)
    if html is not None:
        from pipeline.lineage.page import write

        write(HERE, what, html)
        say(f"{html}: the lineage of {what}, self-contained")
    elif as_json:
        write_json(tree.to_json(node))
    else:
        page = out if out.is_terminal else Console(width=WIDEST)  # otherwise rich cuts a tree's lines to 80 characters
        page.print(tree.to_rich(node), soft_wrap=False)


@app.command(rich_help_panel=LINEAGE, epilog="Example: m3a runs --diff 3f2a91c0 last")
def runs(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run, by its name, its experiment's, or `last`: its stages.")
    ] = None,
    diff: Annotated[
        tuple[str, str] | None, typer.Option(metavar="A B", help="Show the differences from run A to run B instead.")
    ] = None,
    log: Annotated[
        str | None, typer.Option(metavar="RUN", help="Print the log of a run's stages; RUN:STAGE for one of them.")
    ] = None,
    track: Annotated[
        bool, typer.Option("--track", help="Before a commit: add records of restored results to data/runs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List recorded runs: time, duration, revision, machine, parameters that differ, metrics.

    A run is one `dvc repro` or experiment, with the stages that really ran in it. Parameters are shown where they
    differ from the present params.yaml; a + at the revision says that tracked files differed from it.
    """
    from pipeline.cli import runs_tables
    from pipeline.foundations.params import load_params
    from pipeline.lineage import runs as known

    if track:
        say(f"data/runs: records added of {', '.join(known.track(HERE)) or 'no stage: all are there'}")
        return
    found = known.read_runs(HERE)
    if log is not None:
        name, _, stage = log.partition(":")
        for line in known.log_of(known.find(found, name), stage or None):
            out.print(line, markup=False)
    elif diff is not None:
        runs_tables.print_differences(*(known.find(found, name) for name in diff), as_json=as_json)
    elif run is not None:
        runs_tables.print_stages(known.find(found, run), as_json=as_json)
    else:
        runs_tables.print_runs(found, load_params().model_dump(mode="json"), as_json=as_json)


@app.command(rich_help_panel=LINEAGE, epilog="Example: m3a why train")
def why(stage: Annotated[str, typer.Argument(metavar="STAGE", help="A stage of dvc.yaml.")]) -> None:
    """Show why a stage would run again: what differs from its last run, line by line, and the stages that follow."""
    from pipeline.foundations.params import load_params
    from pipeline.lineage import why as explanation

    reasons = explanation.why(HERE, load_params(), stage)
    made = f"its result was {explanation.last_run(HERE, stage)}"
    if not reasons:
        out.print(f"{stage} would not run again: nothing has changed; {made}", markup=False)
        return
    out.print(f"{stage} would run again ({made}):", markup=False, style="bold")
    for reason in reasons:
        out.print(f"  {reason.kind}: {reason.what}", markup=False)
        for line in reason.detail:
            out.print(f"      {line}", markup=False, style="dim")
    later = explanation.consequences(HERE, stage)
    if later:
        out.print(f"and after it, where its outputs change: {', '.join(later)}", markup=False)


@app.command(rich_help_panel=LINEAGE, epilog="Example: m3a crate ../run-of-monday")
def crate(target: Annotated[Path, typer.Argument(metavar="TARGET", help="The folder to write.")]) -> None:
    """Pack the last run as a Provenance Run Crate: every file, and the stage and inputs that made it."""
    from pipeline.lineage.crate import write_crate

    say(f"{target}: {write_crate(HERE, target):,} files; ro-crate-metadata.json tells what each is")


@app.command(rich_help_panel=LINEAGE, epilog="Example: m3a croissant ../mini-split")
def croissant(target: Annotated[Path, typer.Argument(metavar="TARGET", help="The folder to write.")]) -> None:
    """Pack the mini split and the lexicons as a Croissant data set with PROV provenance."""
    from pipeline.lineage.croissant import write_croissant

    say(f"{target}: {write_croissant(HERE, target)} tables; croissant.json tells what each is")
