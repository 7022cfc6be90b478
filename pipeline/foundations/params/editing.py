"""Change values of a parameter file; comments, order and layout stay.

Values are written in ruamel.yaml's layout, as `dvc exp run --set-param` writes them: a blank for null, a line for each
item of a list. params.yaml is kept in this form, so that either tool changes only the lines of the value. The whole
file does not go through ruamel.yaml: where a list becomes empty, release 0.19 joins other lines to text that is no
YAML.
"""

import re
from collections import Counter
from collections.abc import Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.foundations.params.reading import parse_yaml
from pipeline.foundations.runtime.errors import PlainError

Value = str | int | float | bool | list[str] | list[int] | list[float] | None
Changes = Mapping[str, Value]
"""Dotted keys to values: `train.epochs`, or `seed`."""

_BARE_EXPONENT = re.compile(r"(?<=[ \[])(-?\d)(e-\d+)$", re.MULTILINE)
"""1e-05, which YAML 1.1 reads as text; 1.0e-05 is a number everywhere."""
_LINE = re.compile(
    r"""^(\s*(?:\w+:|-)?\s*(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|)(?:[^#]|(?<=\S)\#)*?)[ ]*((?<=\s)\#.*)?$""", re.VERBOSE
)
"""A line's YAML and its comment, which starts at a # after a blank, outside quotes."""


def edited(text: str, changes: Changes) -> str:
    """The text of a parameter file with other values for some keys.

    Args:
        text: a valid parameter file, its sections in blocks.
        changes: a key whose value is the same already keeps its text.

    Raises:
        PlainError: a key that the file does not have, or a layout in which it cannot be changed.
    """
    values = flat(parse_yaml(text))
    for key, value in changes.items():
        if key not in values:
            raise PlainError(f"{key}: unknown parameter")
        if values[key] != value:
            text = _changed(text, key, value)
    try:
        found = flat(parse_yaml(text))
    except YAMLError:
        found = {}
    if found != values | dict(changes):
        raise PlainError(f"{', '.join(changes)}: cannot be changed in this layout; write sections and keys in blocks")
    return text


def flat(content: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested sections as dotted keys."""
    values: dict[str, Any] = {}
    for key, value in content.items():
        values |= flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return values


def _changed(text: str, key: str, value: Value) -> str:
    lines = text.splitlines()
    start, stop = _place(lines, key)
    comments = [comment for line in lines[start:stop] if (comment := _comment(line))]
    new = _written(key, value)
    if comments:  # beside the key where a list follows, which has its items on lines of their own
        place = 0 if isinstance(value, list) else -1
        new[place] = f"{new[place]}  ".ljust(_column(lines)) + " ".join(comments)
    return "\n".join([*lines[:start], *new, *lines[stop:], ""])


def _place(lines: list[str], key: str) -> tuple[int, int]:
    """The lines of a key and its value: from the first to before the second."""
    *sections, name = key.split(".")
    start, stop, indent = 0, len(lines), ""
    for section in sections:
        start, stop = _block(lines, start, stop, f"{indent}{section}:", below=rf"{indent}[ #]")
        start, indent = start + 1, f"{indent}  "
    return _block(lines, start, stop, f"{indent}{name}:", below=rf"{indent}( |- )")


def _block(lines: list[str], start: int, stop: int, head: str, below: str) -> tuple[int, int]:
    """The line that starts with `head`, and those after it that are blank or match `below`."""
    first = next((number for number in range(start, stop) if lines[number].startswith(head)), stop)
    last = first + 1
    while last < stop and re.match(rf"{below}|[ ]*$", lines[last]):
        last += 1
    while last > first + 1 and not lines[last - 1].strip():  # blank lines belong to what follows
        last -= 1
    return first, last


def _written(key: str, value: Value) -> list[str]:
    """The lines of a key and its value."""
    *sections, name = key.split(".")
    content: dict[str, Any] = {name: value}
    for section in reversed(sections):
        content = {section: content}
    yaml = YAML()
    yaml.default_flow_style = False
    written = StringIO()
    yaml.dump(content, written)
    text = _BARE_EXPONENT.sub(r"\1.0\2", written.getvalue())
    lines = text.splitlines()[len(sections) :]
    return [*lines[:-1], lines[-1].rstrip()]


def _comment(line: str) -> str:
    found = _LINE.match(line)
    return found[2] or "" if found else ""


def _column(lines: list[str]) -> int:
    """Where most comments beside a value start."""
    columns = Counter(len(line) - len(comment) for line in lines if (comment := _comment(line)))
    columns.pop(0, None)
    return columns.most_common(1)[0][0] if columns else 0
