"""Presets: files of params/ with the values that a data set or experiment changes.

A preset builds on another (`based_on`), and finally on `sample`, which holds the committed value of every parameter
that any preset sets. So a preset always gives the same parameters, whichever one was set before.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml.error import YAMLError

from pipeline.foundations.params.editing import Changes, Value, edited, flat
from pipeline.foundations.params.reading import parse_yaml
from pipeline.foundations.runtime.errors import PlainError

FOLDER = Path("params")
SAMPLE = "sample"


class Preset(NamedTuple):
    """A preset, including the presets that it builds on."""

    name: str
    about: str
    """Its first comment."""
    values: Changes
    """By dotted key."""


class Change(NamedTuple):
    """A parameter that gets another value."""

    key: str
    now: Value
    then: Value


def names(folder: Path = FOLDER) -> list[str]:
    """All presets, the sample first."""
    return sorted((path.stem for path in folder.glob("*.yaml")), key=lambda name: (name != SAMPLE, name))


def read(name: str, folder: Path = FOLDER) -> Preset:
    """Read a preset.

    Raises:
        PlainError: there is none of this name, or its file is not what a preset is; the sentence names it.
    """
    return _read(name, folder, ())


def _read(name: str, folder: Path, above: tuple[str, ...]) -> Preset:
    path = folder / f"{name}.yaml"
    if name in above:
        raise PlainError(f"{path}: based_on is circular: {' -> '.join((*above, name))}")
    try:
        text = path.read_text(encoding="utf-8")
        content = parse_yaml(text)
    except FileNotFoundError as error:
        raise PlainError(f"{path}: no such preset; there are {', '.join(names(folder)) or 'none'}") from error
    except (OSError, YAMLError, ValueError, RecursionError) as error:
        raise PlainError(f"{path}: not a preset: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise PlainError(f"{path}: expected sections of parameters, as in params.yaml")
    own = flat(content)
    about = text.partition("\n")[0].lstrip("# ").rstrip(".")
    if name == SAMPLE:
        return Preset(name, about, own)
    base = own.pop("based_on", SAMPLE)
    below = _read(str(base), folder, (*above, name)).values
    return Preset(name, about, {**below, **own})


def changes(text: str, preset: Preset) -> list[Change]:
    """What a preset changes in a parameter file of this text, in the file's order.

    Raises:
        PlainError: the preset names a parameter that the file does not have.
    """
    now = flat(parse_yaml(text))
    if unknown := [key for key in preset.values if key not in now]:
        raise PlainError(f"preset {preset.name}: {', '.join(unknown)}: unknown parameter")
    return [
        Change(key, value, preset.values[key])
        for key, value in now.items()
        if key in preset.values and value != preset.values[key]
    ]


def by_hand(found: Iterable[Change], presets: Iterable[Preset]) -> list[Change]:
    """The changes whose present value comes from no preset, so it was set by hand."""
    known = [preset.values for preset in presets]
    return [change for change in found if not any(values.get(change.key) == change.now for values in known)]


def applied(text: str, found: Iterable[Change]) -> str:
    """A parameter file's text with changes applied."""
    return edited(text, {change.key: change.then for change in found})
