"""The `m3a` application: shared options and output; results go to standard output, messages to standard error."""

import json
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.openmp import set_openmp_wait_policy
from pipeline.foundations.runtime.progress import say

if TYPE_CHECKING:
    from pipeline.foundations.params import Params

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Multi-Modal Multi-Action Video Recognition. The pipeline itself runs with `dvc repro`.",
    epilog="`m3a COMMAND --help` says more, with an example; `m3a --install-completion` sets up completion.",
)
RESULTS, MODELS, DATA, LINEAGE = "Results", "Models", "Data", "Lineage"
"""Groups of commands, as the help shows them."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

out = Console(highlight=False, soft_wrap=True)
"""Standard output; coloured only on a terminal, and never where NO_COLOR is set."""


def compute_as_stages() -> None:
    """Set threads and arithmetic as stages do, from params.yaml; call it before NumPy and PyTorch are loaded.

    Raises:
        PlainError: params.yaml is absent or wrong.
    """
    from pipeline.foundations.params import load_params
    from pipeline.foundations.runtime.numerics import use_numerics

    set_openmp_wait_policy()
    if sentence := use_numerics(load_params().numerics):
        say(sentence)


def params_with(preset: str | None) -> "Params":
    """The parameters in params.yaml; with a preset, as after `m3a preset`, but without writing the file.

    Raises:
        PlainError: params.yaml or the preset is absent or wrong.
    """
    from pipeline.foundations.params import load_params, parse_params, presets

    if preset is None:
        return load_params()
    path = Path("params.yaml")
    load_params(path)  # report errors of the file before errors of the preset in it
    text = path.read_text(encoding="utf-8")
    return parse_params(presets.applied(text, presets.changes(text, presets.read(preset))), path)


def write_json(value: Any) -> None:
    """Print plain values as JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"m3a {metadata.version('m3a')}, PyTorch {metadata.version('torch')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the versions and exit.")
    ] = False,
) -> None:
    """Options of `m3a` itself."""


def no_results() -> PlainError:
    """The error of a command that needs the results of a run before there are any."""
    return PlainError("no results yet: run `make repro`")
