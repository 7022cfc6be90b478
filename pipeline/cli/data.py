"""`m3a doctor`, `m3a numerics` and `m3a import-released`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import DATA, AsJson, app, out, write_json
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say

if TYPE_CHECKING:
    from pipeline.doctor.finding import Finding

NEXT, INDENT = "\n", " " * 28


@app.command(rich_help_panel=DATA, epilog="Example: m3a doctor --json")
def doctor(
    as_json: AsJson = False,
    plan: Annotated[bool, typer.Option(help="Print what each stage will take instead; some minutes.")] = False,
    measured: Annotated[
        bool, typer.Option("--measured", help="With --plan: beside what the last run here took.")
    ] = False,
    videos: Annotated[int | None, typer.Option(help="With --plan: as if there were so many.", min=1)] = None,
    cores: Annotated[int | None, typer.Option(help="With --plan: of the machine; execution.workers.", min=1)] = None,
    gpu_clips: Annotated[float | None, typer.Option(help="With --plan: clips/s that its GPU trains.", min=0.1)] = None,
) -> None:
    """Check before a run that everything it needs is there, and say what to do if not.

    Checks the folders of params.yaml, the annotations and their counts, the video files (decoding some of them), the
    weights, disk space, memory, GPU and versions. Green: fine. Yellow: look at it. Red: a run would stop, or its
    results would mean nothing; the exit status is then 1.

    With --plan, measures what a video costs in each stage, on a sample of yours, and prints time, disk and memory of
    each stage for all of them; with --measured as well, beside what the run took that made the present results.
    """
    elsewhere = {"--videos": videos, "--cores": cores, "--gpu-clips": gpu_clips}
    _check_plan_options(plan, measured, [name for name, value in elsewhere.items() if value is not None])
    if plan:
        from pipeline.cli import plan as planning

        if measured:
            planning.print_measured(as_json=as_json)
        else:
            planning.print_plan(videos, cores, gpu_clips, as_json=as_json)
        return
    from pipeline.doctor.examine import examine
    from pipeline.doctor.finding import worst
    from pipeline.foundations.params import load_params

    findings = []
    for finding in examine(Path(), load_params()):
        findings.append(finding)
        if not as_json:
            _print_finding(finding)
    colour = worst(findings)
    if as_json:
        write_json({"worst": colour, "findings": [finding._asdict() for finding in findings]})
    if colour == "red":
        raise typer.Exit(1)


def _check_plan_options(plan: bool, measured: bool, elsewhere: list[str]) -> None:
    """Go on where the options of a plan fit together.

    Raises:
        PlainError: some are given without --plan, or a run here is to be compared with a plan for elsewhere.
    """
    if not plan and (measured or elsewhere):
        given = [*elsewhere, *["--measured"] * measured]
        raise PlainError(f"doctor: {', '.join(given)} without --plan: add it, or leave {given[0]} out")
    if measured and elsewhere:
        raise PlainError(f"doctor --plan --measured: the last run's own counts are planned: leave {elsewhere[0]} out")


@app.command(rich_help_panel=DATA, epilog="Example: m3a numerics")
def numerics() -> None:
    """Print the shell commands that set portable arithmetic, for Dask workers and notebooks: eval "$(m3a numerics)"."""
    from pipeline.foundations.runtime.numerics import MARK, SETTINGS

    for name, value in (SETTINGS | {MARK: "portable"}).items():
        out.print(f"export {name}={shlex.quote(value)}", markup=False)


def _print_finding(finding: "Finding") -> None:
    out.print(f"{finding.colour:<7}", style=finding.colour, end="")
    out.print(f"{finding.subject:<21}{finding.found.replace(NEXT, NEXT + INDENT)}", markup=False)
    if finding.advice:
        out.print(f"{INDENT}-> {finding.advice}", markup=False)


@app.command(
    rich_help_panel=DATA,
    epilog="Example: m3a import-released --mini train-v1-mini.csv --audio audio-lexicon-v1-mini.pkl"
    " --text text-lexicon-v1-mini.pkl --graph graph-adj-v1-mini.pkl",
)
def import_released(
    mini: Annotated[Path | None, typer.Option(help="train-*-mini.csv: their sample of Mini M-MiT.")] = None,
    audio: Annotated[Path | None, typer.Option(help="audio-lexicon-*.pkl")] = None,
    text: Annotated[Path | None, typer.Option(help="text-lexicon-*.pkl")] = None,
    graph: Annotated[Path | None, typer.Option(help="graph-adj-*.pkl")] = None,
    draw_seed: Annotated[
        int,
        typer.Option(
            help="Seed of their choice of one audio form an action: 0; 1 in their first version; -1: all forms."
        ),
    ] = 0,
) -> None:
    """Import the authors' published files instead of computing these tables.

    Needs `data/index` (`dvc repro index`). Pickles are not executed: only arrays and plain containers are read. Their
    checkpoints need the audio forms that their seed draws: 1 in the first published version, 0 in later ones.
    """
    from pipeline.exchange import released
    from pipeline.foundations.params import load_params
    from pipeline.foundations.tables import tables

    actions = tables.read("actions", Path("data/index/actions.parquet"))
    n = actions.num_rows
    stages = []
    if mini:
        target, videos = Path("data/splits/train.parquet"), tables.read("videos", Path("data/index/videos.parquet"))
        say(f"{target}: {released.import_mini(mini, target, actions=n, videos=videos):,} videos")
        stages.append("split_mini")
    if audio:
        target, seed = Path("data/lexicons/audio.parquet"), None if draw_seed < 0 else draw_seed
        say(f"{target}: {released.import_audio(audio, target, actions=n, seed=seed):,} forms of {n} actions")
        if seed is not None:
            say(
                f"drawn with seed {seed}; the authors' first published version drew audio forms with seed 1, later "
                "ones with 0 (--draw-seed)"
            )
        stages.append("build_audio_lexicon")
    if text:
        target = Path("data/lexicons/text.parquet")
        say(f"{target}: {n} forms of {released.import_text(text, target, actions=actions)}")
        stages.append("build_text_lexicon")
    if graph:
        target, rule = Path("data/graph/adjacency.parquet"), load_params().adjacency
        say(f"{target}: {released.import_adjacency(graph, target, actions=n, params=rule):,} edges")
        stages.append("build_adjacency")
    if not stages:
        raise PlainError("give at least one file to import: --mini, --audio, --text or --graph")
    say(f"to record them in DVC as these stages' results: dvc commit --force {' '.join(stages)}")
