"""`m3a bench`: benchmarks on this machine."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli.app import RESULTS, AsJson, app, compute_as_stages, write_json
from pipeline.foundations.runtime.progress import say


@app.command(rich_help_panel=RESULTS, epilog="Example: m3a bench sound loader")
def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Benchmarks to run; all but `memory` if not given.")
    ] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where to measure.")] = "cpu",
    clips: Annotated[Path | None, typer.Option(help="Videos for `copies`, in the place of rendered ones.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure decoding, extraction, training and testing against plain code that does the same, and print a table.

    On the CPU: sound, sandbox, silence, vggish, loader, views, copies, gcn, step, export, portable, bookkeeping; and
    `memory`, which runs by its name alone. With --device cuda: conv3d, train, test, graphs, wait, vggish, feed. Run
    it while nothing else does. The lines go into data/bench/bench.parquet too, which the report shows after
    `dvc repro report`.
    """
    compute_as_stages()
    from dataclasses import asdict
    from math import isnan

    from pipeline.bench.run import run
    from pipeline.foundations.params import load_params
    from pipeline.report.bench_rows import TABLE, markdown

    given = tuple(sorted(path.absolute() for path in clips.iterdir() if path.is_file())) if clips else ()
    rows = list(run(names or [], load_params(), device=device, table=TABLE, given=given))
    if as_json:
        entries = [asdict(row) for row in rows]
        write_json([{name: None if value != value else value for name, value in entry.items()} for entry in entries])
    else:
        typer.echo(markdown(rows), nl=False)
    held = [row for row in rows if not isnan(row.target)]
    say(f"{TABLE}: {sum(bool(row.met) for row in held)} of {len(held)} targets met")
