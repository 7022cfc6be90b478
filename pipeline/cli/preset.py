"""`m3a preset`: list presets, show what one changes in params.yaml, write it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import DATA, app, out
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.foundations.params.presets import Change

PARAMS = Path("params.yaml")


@app.command(rich_help_panel=DATA, epilog="Example: m3a preset mmit_v1_mini --folder /data/mmit_v1 --diff")
def preset(
    name: Annotated[str | None, typer.Argument(help="A file of params/; without it, list them.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Your data set's folder, for dataset.folder.")] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what would change, and write nothing.")] = False,
    overwrite: Annotated[
        bool | None,
        typer.Option("--overwrite/--keep", help="Replace or keep values that you changed by hand.", show_default=False),
    ] = None,
) -> None:
    """Set params.yaml to a preset, or list the presets.

    Only values change; comments and layout stay. `m3a preset sample` goes back to the bundled sample. Parameters that
    no preset sets keep their values.
    """
    from pipeline.foundations.params import load_params, parse_params, presets
    from pipeline.foundations.runtime.files import write_text

    if name is None:
        for each in presets.names():
            out.print(f"{each:<16}{presets.read(each).about}", markup=False)
        return
    load_params(PARAMS)
    text = PARAMS.read_text(encoding="utf-8")
    wanted = presets.read(name)
    if folder:
        wanted = wanted._replace(values={**wanted.values, "dataset.folder": folder.as_posix()})
    changes = presets.changes(text, wanted)
    edited = presets.by_hand(changes, [presets.read(each) for each in presets.names()])
    if folder:
        edited = [change for change in edited if change.key != "dataset.folder"]
    if overwrite is False:
        changes = [change for change in changes if change not in edited]
    new = presets.applied(text, changes)
    parse_params(new, PARAMS)
    if diff:
        _print_changes(changes, edited)
    elif edited and overwrite is None:
        raise PlainError(_conflict(edited))
    elif changes:
        write_text(PARAMS, new)
        say(f"{PARAMS}: {len(changes)} values changed to preset {name}; next: m3a doctor")
    else:
        say(f"{PARAMS}: nothing to change for preset {name}")


def _print_changes(changes: "Sequence[Change]", edited: "Sequence[Change]") -> None:
    width = max((len(change.key) for change in changes), default=0)
    for change in changes:
        note = "  (changed by hand)" if change in edited else ""
        out.print(f"{change.key:<{width}}  {_shown(change.now)} -> {_shown(change.then)}{note}", markup=False)


def _conflict(edited: "Sequence[Change]") -> str:
    found = ", ".join(f"{change.key} is {_shown(change.now)}" for change in edited)
    return f"{PARAMS}: changed by hand: {found}; --keep leaves them, --overwrite replaces them, --diff shows both"


def _shown(value: object) -> str:
    """A value in YAML."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
