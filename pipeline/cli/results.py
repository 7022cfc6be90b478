"""What a run reached."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import RESULTS, app, out, write_json

METRICS, REPORT = Path("data/predictions/metrics.parquet"), Path("data/report/index.html")


@app.command(rich_help_panel=RESULTS, epilog="Example: m3a show --json")
def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print the metrics beside their references, and where the report is.

    The model, ranking by training frequency, chance, and the model's lead, each with its 95% interval. `dvc metrics
    show` prints the model's metrics alone, `dvc metrics diff` what a change did to them.
    """
    from pipeline import tables
    from pipeline.evaluate import summary

    metrics = tables.read("metrics", METRICS)
    if as_json:
        rows = metrics.to_pylist()
        write_json([{name: None if value != value else value for name, value in row.items()} for row in rows])
        return
    summary.show(metrics, out)
    found = REPORT.absolute().as_uri() if REPORT.exists() else "not there yet; run `dvc repro`"
    out.print(f"the report: {found}", markup=False)
