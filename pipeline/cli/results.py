"""`m3a show`, `compare` and `baseline`: results of runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pipeline.cli.app import RESULTS, AsJson, app, no_results, out, write_json
from pipeline.foundations.runtime.progress import say

if TYPE_CHECKING:
    from pipeline.report.comparison import Comparison

HERE = "."
METRICS, PREDICTIONS = Path("data/predictions/metrics.parquet"), Path("data/predictions/predictions.parquet")
REPORT = Path("data/report/index.html")


@app.command(rich_help_panel=RESULTS, epilog="Example: m3a show --json")
def show(as_json: AsJson = False) -> None:
    """Print the metrics beside their references, and the path of the report.

    The model, ranking by training frequency, chance, and the model's lead, each with its 95% interval. `dvc metrics
    show` prints the model's metrics alone, `dvc metrics diff` what a change did to them.
    """
    from pipeline.evaluate import summary
    from pipeline.foundations.tables import tables

    if not METRICS.exists():
        raise no_results()
    metrics = tables.read("metrics", METRICS)
    if as_json:
        rows = metrics.to_pylist()
        write_json([{name: None if value != value else value for name, value in row.items()} for row in rows])
        return
    summary.show(metrics, out)
    found = REPORT.absolute().as_uri() if REPORT.exists() else "not there yet; run `dvc repro`"
    out.print(f"the report: {found}", markup=False)


@app.command(rich_help_panel=RESULTS, epilog="Example: m3a compare fc --to data/fc.html")
def compare(
    first: Annotated[str, typer.Argument(metavar="FIRST", help="An experiment, a git revision, or a folder.")],
    second: Annotated[
        str, typer.Argument(metavar="SECOND", help="Likewise; the run in this folder if not given.")
    ] = HERE,
    to: Annotated[Path, typer.Option(help="The page to write.")] = Path("data/compare.html"),
    as_json: AsJson = False,
) -> None:
    """Compare two runs on a page: metrics, parameters, actions and learning curves.

    Every lead is SECOND's over FIRST, on the videos that both have scored, with the 95% interval of a paired bootstrap
    over videos. A run is one training seed, and training noise is not in the interval: `m3a ablate` takes more seeds.
    `dvc exp show` lists the experiments; `dvc params diff`, `dvc metrics diff` and `dvc plots diff` tell parts of this.
    """
    from pipeline.evaluate.summary import lay
    from pipeline.foundations.params import load_params
    from pipeline.foundations.runtime.files import write_text
    from pipeline.report import comparison
    from pipeline.report.runs import read_run

    params = load_params()
    if HERE in (first, second) and not PREDICTIONS.exists():
        raise no_results()
    pair = comparison.compare(read_run(first), read_run(second), bootstrap=params.evaluate.bootstrap, seed=params.seed)
    write_text(to, comparison.render(pair))
    if as_json:
        write_json(comparison.to_json(pair))
        return
    lay(_summary(pair), out)
    out.print(f"the page: {to.absolute().as_uri()}", markup=False)


def _summary(pair: "Comparison") -> Table:
    from pipeline.evaluate.summary import cell

    table = Table(
        caption=f"percent, on {pair.videos:,} videos; in brackets the 95% interval over videos, paired for the "
        "lead; one seed each, so training noise is not in it"
    )
    for words in ("", pair.first, pair.second, "lead"):
        table.add_column(words, justify="right" if words else "left")
    for line in pair.lines:
        figures = (cell(figure._asdict(), signed=False) for figure in (line.first, line.second))
        table.add_row(line.name, *figures, cell(line.lead._asdict(), signed=True))
    return table


@app.command(rich_help_panel=RESULTS, epilog="Example: m3a baseline fc")
def baseline(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A finished experiment, or a git revision.")],
    to: Annotated[
        Path | None, typer.Option(help="Folder for its model and predictions; data/baselines/RUN if not given.")
    ] = None,
) -> None:
    """Fetch a finished run's model and predictions, and set `explain.baseline` in params.yaml to them.

    `dvc repro` then explains this run's model beside it: Grad-CAM, pointing game, scores, gains. The paper's baseline
    is the 3D-CNN alone: `dvc exp run --temp -n fc -S 'model.heads=[fc]' evaluate` trains it, in a copy of this folder.
    """
    from pipeline.report.baseline import fetch_baseline, set_baseline

    folder = to or Path("data/baselines") / run.replace("/", "-")
    say(f"{folder}: {fetch_baseline(run, folder):,} videos that {run} has scored, and its model")
    set_baseline(Path("params.yaml"), folder)
    say(f"params.yaml: explain.baseline: {folder.as_posix()}; next: dvc repro")
